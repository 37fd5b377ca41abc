# Two commands do everything: `make demo` and `make test`. Both make .venv when it is not there.
PYTHON ?= python3
BIN := .venv/bin
FILES := setup.cfg pyproject.toml constraints.txt build_backend/backend.py

.PHONY: demo test check clean

demo: .venv/installed
	$(BIN)/roam demo --out demo

test: .venv/installed-test check
	$(BIN)/python -m pytest

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python $(FILES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache

# `make demo` and `make test` do everything a user wants; each makes .venv when it is not there.
PYTHON ?= python3
BIN := .venv/bin
FILES := setup.cfg pyproject.toml constraints.txt build_backend/backend.py

.PHONY: demo test quick check docs release-check latest lowest clean

demo: .venv/installed
	$(BIN)/roam demo --out demo

test: .venv/installed-test check
	$(BIN)/python -m pytest -n auto --dist loadfile

# what is not marked as slow, under a minute
quick: .venv/installed-test check
	$(BIN)/python -m pytest -n auto -m "not slow"

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# wheel and sdist, installed into empty environments outside the checkout, and what a user does first
release-check: .venv/installed-test
	$(BIN)/python build_backend/release_check.py

# the wheel with the newest and with the lowest versions that setup.cfg admits, and both toolkits
latest lowest: .venv/installed-test
	$(BIN)/python build_backend/release_check.py --versions $@

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python $(FILES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf .venv demo build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache

"""What the documentation says of the code: names, files, options and links that exist."""

import argparse
import ast
import importlib
import re
from pathlib import Path

import pytest

from roam_tracker.commands import COMMANDS
from roam_tracker.core.config import load_preset, preset_names
from roam_tracker.toolkits import experiments
from roam_tracker.toolkits.registry import TRACKERS, preset_of

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAPER = (ROOT / "docs/paper.md").read_text()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows(columns):
    """The rows of the paper page's tables with so many columns, without their heads."""
    found = [cells(line) for line in PAPER.splitlines() if line.startswith("| ")]
    return [row for row in found if len(row) == columns and row[0] not in ("paper", "tracker")]


def defined(path):
    """Functions, classes and methods (`Class.method`) of a source file."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return names


EQUATIONS = [row for row in rows(4) if "`: " in row[3]]


@pytest.mark.parametrize("row", EQUATIONS, ids=lambda row: row[0] + " " + row[1])
def test_each_equation_is_in_the_code_and_held_by_the_test_named_beside_it(row):
    places = re.findall(r"`([\w/]+\.py)` `([\w.]+)`", row[2])
    assert places
    for file, name in places:
        assert name in defined(ROOT / "roam_tracker" / file)
    file, told = re.fullmatch(r"`([\w/]+)`: (.+)", row[3]).groups()
    assert "test_" + told.replace(" ", "_") in defined(
        ROOT / "tests" / re.sub(r"(\w+)$", r"test_\1.py", file)
    )


def test_the_mapping_has_every_equation_of_the_paper():
    firsts = " ".join(row[0] for row in EQUATIONS)
    assert all(f"eq. ({number})" in firsts for number in range(1, 10))


def test_the_table_of_presets_names_each_tracker_and_preset_once_with_the_right_weights():
    presets = {}
    for names, preset, _, weights in rows(4):
        if "`: " in weights:
            continue
        for tracker, key in zip(
            re.findall(r"`([^`]+)`", names) or [""], re.findall(r"`([^`]+)`", preset) or [""], strict=True
        ):
            assert not tracker or preset_of(tracker) == (key or None)
            if key:
                shipped = (ROOT / f"roam_tracker/weights/{load_preset(key).weights}.safetensors").is_file()
                assert shipped == ("roam train" not in weights)
            presets[key] = tracker
    assert set(presets) - {""} == set(preset_names())
    assert {tracker for tracker in presets.values() if tracker} == set(TRACKERS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_that_is_there(page):
    for target in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", target):
            assert re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", target), target
        elif target.partition("#")[0]:
            assert (page.parent / target.partition("#")[0]).exists(), target


def commands():
    """Each line of a shell block that begins with `roam COMMAND` or runs the GOT-10k toolkit, as words."""
    for page in PAGES:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].split()
                if words[:1] == ["roam"] or words[:3] == ["python", "-m", "got10k.experiments"]:
                    yield pytest.param(words, id=f"{page.name}: {' '.join(words)[:60]}")


@pytest.mark.parametrize("words", list(commands()))
def test_every_command_of_a_page_has_the_options_that_it_is_shown_with(words):
    if words[0] == "python":
        parser = experiments.parser()
    else:
        if words[1] == "track" and "track" not in COMMANDS:
            pytest.skip("roam track is not there yet")
        assert words[1] in COMMANDS
        parser = argparse.ArgumentParser()
        module = words[1].replace("-", "_")
        importlib.import_module(f"roam_tracker.commands.{module}").add_arguments(parser)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parser = action.choices[words[2]]
    known = parser._option_string_actions
    assert [word for word in words if word.startswith("--") and word.split("=")[0] not in known] == []

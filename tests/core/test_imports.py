"""Imports point down, in no circle, and the core knows nothing of what makes it faster."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import roam_tracker

ROOT = Path(roam_tracker.__file__).parent
MODULES = {
    ".".join(("roam_tracker", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imported(name, *, everywhere):
    """The package's modules that a module imports: at its top, or everywhere, in functions too."""
    tree = ast.parse(MODULES[name].read_text())
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {part if part in MODULES else node.module for part in parts}
    return {module for module in found if module in MODULES and module != name}


def room(name):
    return next(
        (there for there in ("core.fast", "core", "commands", "toolkits", "training", "report", "video")
         if f"{name}.".startswith(f"roam_tracker.{there}.")),
        name.removeprefix("roam_tracker."),
    )  # fmt: skip


# a room, and those that it may import from; the others, such as errors and files, are below all of them
MAY = {
    "core": {"core", "errors", "files"},
    "core.fast": {"core", "core.fast", "errors", "files"},
    "tracker": {"core", "core.fast", "errors", "images", "recording", "state_file", "weights"},
}


@pytest.mark.parametrize("name", [name for name in sorted(MODULES) if room(name) in MAY])
def test_core_and_tracker_import_only_from_the_rooms_below(name):
    rooms = {room(module).partition(".")[0] if "core" not in module else room(module)
             for module in imported(name, everywhere=True)}  # fmt: skip
    assert rooms <= MAY[room(name)]


def test_only_commands_know_commands_and_report_knows_no_tracker():
    for name in MODULES:
        found = imported(name, everywhere=True)
        rooms = {room(module) for module in found}
        assert "commands" not in rooms or room(name) in ("commands", "__main__"), name
        if room(name) == "report":
            assert found & {f"roam_tracker.{each}" for each in ("tracker", "core.tracking")} == set(), name
            assert not rooms & {"core.fast", "training", "toolkits"}, name


def test_no_imports_run_in_a_circle():
    graph = {name: imported(name, everywhere=False) for name in MODULES}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(MODULES)


def test_the_package_is_imported_in_a_fifth_of_a_second_without_torch():
    code = (
        "import sys, time; began = time.process_time(); import roam_tracker\n"
        "print(time.process_time() - began, 'torch' in sys.modules)"
    )
    runs = [subprocess.check_output([sys.executable, "-c", code], text=True).split() for _ in range(3)]
    assert {torch for _, torch in runs} == {"False"}
    assert min(float(spent) for spent, _ in runs) < 0.2


def test_the_core_has_no_address_and_no_word_of_what_is_faster():
    for name, path in MODULES.items():
        if room(name) == "core":
            text = path.read_text().lower()
            assert not [
                word for word in ("http", "onednn", "mkldnn", "core.fast", "plain") if word in text
            ], name

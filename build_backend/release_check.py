"""Build wheel and source distribution, install each into an empty environment, try what a user tries first.

    make release-check        some minutes; a PASS line for each step, exit status 1 at the first failure
    make latest               the wheel alone, with the newest versions that setup.cfg admits
    make lowest               the same with the lowest

Everything happens in a temporary folder, so that nothing of the checkout is found by accident.
`release-check` installs the versions of constraints.txt.
"""

import argparse
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# prints where the package is, its version, and the number of presets whose weights load
IMPORTS = """
import roam_tracker
from roam_tracker.core.config import load_preset, preset_names
from roam_tracker.weights import load_weights
from roam_tracker.errors import WeightsError
loaded = 0
for name in preset_names():
    try:
        load_weights(load_preset(name).weights)
        loaded += 1
    except WeightsError:
        pass
print(roam_tracker.__file__, roam_tracker.__version__, loaded)
"""

NEWER_TOOLKIT = "vot-toolkit==0.9.0"
UNSUPERVISED = """
title: unsupervised
experiments:
  baseline:
    type: unsupervised
    analyses:
    - type: average_accuracy
      burnin: 10
      ignore_unknown: false
"""

# what a type checker must know of the package: no error but that of the last line
TYPED = """
from roam_tracker import RoamTracker
from roam_tracker.report import evaluate, load

tracker = RoamTracker()
tracker.init("image.jpg", (1, 2, 3, 4))
print(tracker.update("image.jpg").mean(), evaluate(load("OTB2015", "results", "data")).table)
tracker.updat("image.jpg")
"""


def main() -> int:
    """Do all steps; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy wheel and source distribution there")
    parser.add_argument(
        "--versions", choices=("pinned", "latest", "lowest"), default="pinned", help="(default: pinned)"
    )
    parser.add_argument("--whole", action="store_true", help="all of roam demo, not two short sequences")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        place = Path(folder)
        try:
            build(place / "dist")
            wheel, sdist = next((place / "dist").glob("*.whl")), next((place / "dist").glob("*.tar.gz"))
            version = sdist.name.removesuffix(".tar.gz").rpartition("-")[2]
            limits = constraints(place, options.versions)
            user = install(place / "from-wheel", wheel, limits)
            try_out(user, version)
            sample(user)
            if options.versions == "pinned":
                try_commands(user, whole=options.whole)
            try_toolkits(user)
            break_and_mend(user)
            try_newer_toolkit(user)
            if options.versions == "pinned":
                try_out(install(place / "from-sdist", sdist, limits), version)
        except Failed as error:
            print(f"FAIL {error}", flush=True)
            return 1
        if options.keep:
            shutil.copytree(place / "dist", options.keep, dirs_exist_ok=True)
    return 0


class Failed(Exception):
    """A step that did not end as it should."""


def build(out: Path) -> None:
    """The wheel is built from the source distribution, so that one shows the other to be whole."""
    run("build wheel and sdist", [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)], ROOT)


@dataclass(frozen=True)
class User:
    """Somebody with an environment of their own, who works in an empty folder."""

    kind: str
    venv: Path
    folder: Path

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return str(self.venv / "bin/python")

    def run(self, command: str, *words: str, status: int | tuple[int, ...] = 0) -> str:
        """Run a program of the environment; what it printed."""
        told = [word.rpartition("/")[2] for word in words if "\n" not in word]
        shown = " ".join([command, *told])[:70]
        return run(f"{self.kind}: {shown}", [str(self.venv / "bin" / command), *words], self.folder, status)

    def pip(self, *words: str) -> None:
        """Run pip; its lines are of no interest."""
        self.run("pip", "--disable-pip-version-check", "--quiet", *words)


def constraints(place: Path, versions: str) -> list[str]:
    """What pip is told of versions: those pinned, the lowest that setup.cfg admits, or nothing."""
    if versions == "latest":
        return []
    if versions == "pinned":
        return ["-c", str(ROOT / "constraints.txt")]
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = []
    for line in parser["options"]["install_requires"].split("\n"):
        if line:
            name, lowest = re.match(r"([\w-]+) *[>=]= *([\d.]+)", line).groups()
            lines.append(f"{name}=={lowest}\n")
    (place / "lowest.txt").write_text("".join(lines), encoding="utf-8")
    return ["-c", str(place / "lowest.txt")]


def install(place: Path, distribution: Path, limits: list[str]) -> User:
    """An empty environment with the distribution in it, and an empty folder to work in."""
    venv.create(place / "venv", with_pip=True)
    (place / "empty").mkdir()
    user = User(place.name.replace("-", " "), place / "venv", place / "empty")
    user.pip("install", *limits, str(distribution))
    user.run("pip", "check")
    print(user.run("pip", "freeze", "--all"), flush=True)
    return user


def try_out(user: User, version: str) -> None:
    """What anybody does first."""
    found = user.run("python", "-c", IMPORTS).split()
    expect(Path(found[0]).is_relative_to(user.venv), f"roam_tracker is not the environment's: {found[0]}")
    expect(found[1] == version, f"the version is {found[1]}, that of the file {version}")
    expect(int(found[2]) > 0, "no preset has weights")
    told = user.run("roam", "--version")
    expect(told.split()[-1] == version, f"roam --version says {told!r}")
    user.run("roam", "doctor", status=(0, 2))  # 2: a version is not among those tested
    told = user.run("python", "-m", "got10k.experiments", "--help")
    expect("OTB2015" in told and "ROAM" in told, "the help names neither data sets nor trackers")


def try_commands(user: User, *, whole: bool) -> None:
    """Types, a video, the demo."""
    (user.folder / "typed.py").write_text(TYPED, encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(user.folder / "mypy")]
    mypy += ["--python-executable", user.python, "typed.py"]
    told = run(f"{user.kind}: types", mypy, user.folder, status=1)
    expect("typed.py:8" in told and "Found 1 error" in told, f"mypy says {told}")
    images = next((user.folder / "made/OTB").glob("*/img"))
    box = (images.parent / "groundtruth_rect.txt").read_text(encoding="utf-8").splitlines()[0]
    user.run("roam", "track", str(images), "--box", box, "--out", "tracked", "--response")
    expect((user.folder / "tracked/video.mp4").stat().st_size > 10_000, "roam track wrote no video")
    told = user.run("roam", "demo", *([] if whole else ["--frames", "24", "--sequences", "2"]))
    expect((user.folder / "demo/report/index.html").is_file(), f"roam demo wrote no page: {told[-500:]}")


def sample(user: User) -> None:
    """Made sequences, and of those in VOT's layout the first alone."""
    user.run("roam", "sample", "made", "--frames", "24")
    names = user.folder / "made/VOT/list.txt"
    names.write_text(names.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")


def try_toolkits(user: User) -> None:
    """Each toolkit on one sequence, and a report of both."""
    try_vot(user, "vot", "short")
    got10k = ["--tracker", "ROAM", "--dataset", "folder", "--root", "made/OTB", "--sequences", "motion"]
    user.run("python", "-m", "got10k.experiments", *got10k)
    benchmarks = ["--benchmark", "OTB", "--results", "results", "--annotations", "made/OTB"]
    benchmarks += ["--benchmark", "VOT2017", "--results", "vot", "--annotations", "vot/sequences"]
    user.run("roam", "report", *benchmarks, "--out", "report")
    page = (user.folder / "report/index.html").read_text(encoding="utf-8")
    expect("ROAM" in page and "VOT2017" in page, "the page lacks the tracker or a benchmark")


def try_vot(user: User, workspace: str, config: str) -> None:
    """What is done with the VOT toolkit; its exit status says nothing."""
    registry = user.run("roam", "workspace", "registry")
    (user.folder / "trackers.ini").write_text(registry, encoding="utf-8")
    told = user.run("vot", "test", "ROAM")
    expect("Test concluded successfuly" in told, f"vot test: {told[-500:]}")
    user.run("roam", "workspace", "init", workspace, "--sequences", "made/VOT", "--config", config)
    told = user.run("vot", "evaluate", "ROAM", "--workspace", workspace)
    expect("Evaluation concluded successfuly" in told, f"vot evaluate: {told[-500:]}")
    user.run("roam", "workspace", "check", workspace)
    user.run("vot", "analysis", "ROAM", "--workspace", workspace, "--name", "mine")
    numbers = (user.folder / workspace / "analysis/mine.json").read_text(encoding="utf-8")
    expect("ROAM" in numbers, "vot analysis wrote no numbers of ROAM")


def break_and_mend(user: User) -> None:
    """Break the environment in each way that `roam doctor` has a remedy for; apply what it says."""
    packages = next((user.venv / "lib").glob("python*/site-packages"))

    def damage(name: str) -> None:
        (packages / name).write_bytes(b"0 = damaged")

    faults: dict[str, Callable[[], None]] = {
        "attributee 0.1.10": lambda: user.pip("install", "--no-deps", "attributee==0.1.10"),
        "a toolkit that is too new": lambda: user.pip("install", "--no-deps", NEWER_TOOLKIT),
        "no six": lambda: user.pip("uninstall", "--yes", "six"),
        "no bidict, which vot needs": lambda: user.pip("uninstall", "--yes", "bidict"),
        "other weights": lambda: damage("roam_tracker/weights/default.safetensors"),
        "no command in got10k": (packages / "got10k/experiments/__main__.py").unlink,
        "a damaged vot": lambda: damage("vot/utilities/cli.py"),
        "a damaged got10k": lambda: damage("got10k/experiments/otb.py"),
    }
    for name, fault in faults.items():
        fault()
        told = json.loads(user.run("roam", "doctor", "--json", "--device", "cpu", status=1))
        remedies = dict.fromkeys(each["remedy"] for each in told["findings"] if each["state"] == "problem")
        commands = [remedy.removeprefix("Run: ") for remedy in remedies if remedy.startswith("Run: pip ")]
        expect(len(commands) > 0, f"{name}: roam doctor has no remedy: {told}")
        for command in commands:
            user.pip(*shlex.split(command)[1:])
        after = json.loads(user.run("roam", "doctor", "--json", "--device", "cpu", status=(0, 2)))
        expect(after["status"] != 1, f"{name}: {commands} did not help: {after}")
        print(f"PASS {user.kind}: {name} is mended by {' and '.join(commands)}", flush=True)


def try_newer_toolkit(user: User) -> None:
    """What runs with the newer VOT toolkit, which setup.cfg excludes for what does not."""
    user.pip("install", "--no-deps", NEWER_TOOLKIT)
    (user.folder / "unsupervised.yaml").write_text(UNSUPERVISED, encoding="utf-8")
    try_vot(user, "newer", "unsupervised.yaml")


def run(step: str, command: list[str], folder: Path, status: int | tuple[int, ...] = 0) -> str:
    """Run a command in a folder; what it printed. Raises Failed, with its last words, for another status."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode not in (status if isinstance(status, tuple) else (status,)):
        raise Failed(f"{step}: exit status {done.returncode}, {status} was expected\n{done.stdout[-3000:]}")
    print(f"PASS {step}, {time.monotonic() - start:.0f} s", flush=True)
    return done.stdout


def expect(condition: bool, message: str) -> None:
    """Raise Failed with the message unless the condition holds."""
    if not condition:
        raise Failed(message)


if __name__ == "__main__":
    raise SystemExit(main())

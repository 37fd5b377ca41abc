"""Build wheel and source distribution, install each into an empty environment, try what a user tries first.

    make release-check        some minutes; a PASS line for each step, exit status 1 at the first failure

Everything happens in a temporary folder, so that nothing of the checkout is found by accident. Versions are
those of constraints.txt.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
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
    parser.add_argument("--whole", action="store_true", help="all of roam demo, not two short sequences")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        place = Path(folder)
        try:
            build(place / "dist")
            wheel, sdist = next((place / "dist").glob("*.whl")), next((place / "dist").glob("*.tar.gz"))
            version = sdist.name.removesuffix(".tar.gz").rpartition("-")[2]
            try_out(place / "from-wheel", wheel, version, toolkits=True, whole=options.whole)
            try_out(place / "from-sdist", sdist, version, toolkits=False)
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


def try_out(place: Path, distribution: Path, version: str, *, toolkits: bool, whole: bool = False) -> None:
    """Install a distribution into an empty environment, and run its commands in an empty folder."""
    kind = place.name.replace("-", " ")
    venv.create(place / "venv", with_pip=True)
    empty, bin_ = place / "empty", place / "venv/bin"
    empty.mkdir()
    python = str(bin_ / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    run(f"{kind}: pip install", [*pip, "install", "--quiet", *constraints, str(distribution)], empty)
    run(f"{kind}: pip check", [*pip, "check"], empty)
    found = run(f"{kind}: import, weights", [python, "-c", IMPORTS], empty).split()
    expect(Path(found[0]).is_relative_to(place), f"roam_tracker is not that of the environment: {found[0]}")
    expect(found[1] == version, f"the version is {found[1]}, that of the file {version}")
    expect(int(found[2]) > 0, "no preset has weights")
    told = run(f"{kind}: roam --version", [str(bin_ / "roam"), "--version"], empty)
    expect(told.split()[-1] == version, f"roam --version says {told!r}")
    run(f"{kind}: roam doctor", [str(bin_ / "roam"), "doctor"], empty)
    told = run(f"{kind}: got10k.experiments --help", [python, "-m", "got10k.experiments", "--help"], empty)
    expect("OTB2015" in told and "ROAM" in told, "the help names neither data sets nor trackers")
    if not toolkits:
        return
    (place / "typed.py").write_text(TYPED, encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(place / "mypy")]
    told = run(
        f"{kind}: types", [*mypy, "--python-executable", python, str(place / "typed.py")], empty, status=1
    )
    expect("typed.py:8" in told and "Found 1 error" in told, f"mypy says {told}")
    registry = run(f"{kind}: roam workspace registry", [str(bin_ / "roam"), "workspace", "registry"], empty)
    (empty / "trackers.ini").write_text(registry, encoding="utf-8")
    told = run(f"{kind}: vot test ROAM", [str(bin_ / "vot"), "test", "ROAM"], empty)
    expect("Test concluded successfuly" in told, f"vot test: {told[-500:]}")  # its exit status says nothing
    run(f"{kind}: roam sample", [str(bin_ / "roam"), "sample", "made", "--frames", "24"], empty)
    images = next((empty / "made/OTB").glob("*/img"))
    box = (images.parent / "groundtruth_rect.txt").read_text(encoding="utf-8").splitlines()[0]
    track = [str(bin_ / "roam"), "track", str(images), "--box", box, "--out", "tracked", "--response"]
    run(f"{kind}: roam track", track, empty)
    expect((empty / "tracked/video.mp4").stat().st_size > 10_000, "roam track wrote no video")
    demo = [str(bin_ / "roam"), "demo", *([] if whole else ["--frames", "24", "--sequences", "2"])]
    told = run(f"{kind}: roam {' '.join(demo[1:])}", demo, empty)
    expect((empty / "demo/report/index.html").is_file(), f"roam demo wrote no page: {told[-500:]}")


def run(step: str, command: list[str], folder: Path, status: int = 0) -> str:
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
    if done.returncode != status:
        raise Failed(f"{step}: exit status {done.returncode}, {status} was expected\n{done.stdout[-3000:]}")
    print(f"PASS {step}, {time.monotonic() - start:.0f} s", flush=True)
    return done.stdout


def expect(condition: bool, message: str) -> None:
    """Raise Failed with the message unless the condition holds."""
    if not condition:
        raise Failed(message)


if __name__ == "__main__":
    raise SystemExit(main())

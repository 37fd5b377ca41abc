"""Is this installation fit to track and to be evaluated? Each check is one finding with its remedy.

Nothing is downloaded and nothing stays behind. Libraries are imported within the checks, so that one
that is broken is a finding like any other.
"""

import hashlib
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from roam_tracker.errors import RoamError, RunError, one_line
from roam_tracker.selfcheck import remedies

OK, NOTE, PROBLEM = "ok", "note", "problem"
# direct requirements in the versions that were tested, first those of constraints.txt, with all tests
TESTED = {
    "attributee": ("0.1.9",),
    "got10k": ("0.1.3",),
    "matplotlib": ("3.11.2",),
    "numpy": ("2.4.6",),
    "opencv-python": ("5.0.0.93",),
    "packaging": ("26.3",),
    "pandas": ("3.1.1",),
    "pillow": ("13.0.0",),
    "pyyaml": ("6.0.3",),
    "safetensors": ("0.8.0",),
    "six": ("1.17.0",),
    "torch": ("2.13.0", "2.14.1"),
    "vot-toolkit": ("0.7.4",),
    "vot-trax": ("4.0.2",),
}
_TESTED_PYTHONS = ((3, 11), (3, 13))
_FRAMES, _LEAST_OVERLAP = 20, 0.5  # of the square that is tracked
_LIMIT_S = 60.0  # for the toolkit to load
# what to install again if a check fails in a way that says nothing of its cause; else this package
_SUSPECTS = {"device": "torch", "GOT-10k": "got10k"}

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `ok`, `note` (usable) or `problem` (broken), and what to do about it."""

    check: str
    state: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:<8} {self.check:<10} {self.found} {self.remedy}".rstrip()


def examine(roots: Sequence[str] = (), device: str = "auto") -> Iterator[Finding]:
    """All findings, one by one.

    roots:  folders of data sets to look at, too
    device: auto, cpu, cuda, cuda:1; the tracker that is talked to runs there
    """
    with tempfile.TemporaryDirectory(prefix="roam-doctor-") as name:
        folder = Path(name)
        # these two load while the others are looked at
        with (
            _running("import vot.utilities.cli, vot.workspace, vot.report", folder) as toolkit,
            _tracker(device, folder) as tracker,
        ):
            checks: list[tuple[str, Callable[[], Finding]]] = [
                ("Python", check_python),
                ("libraries", check_libraries),
                ("known bad", check_known_to_break),
                ("device", partial(check_device, device)),
                ("weights", check_weights),
                ("GOT-10k", check_got10k),
                ("VOT", partial(_check_vot, toolkit)),
                ("TraX", partial(_check_trax, tracker, folder)),
                *(("data set", partial(check_root, root)) for root in roots),
            ]
            for check, look in checks:
                yield _safely(check, look)


def exit_status(findings: Sequence[Finding]) -> int:
    """0 fine, 1 broken, 2 usable with notes."""
    states = {finding.state for finding in findings}
    return 1 if PROBLEM in states else 2 if NOTE in states else 0


def to_json(findings: Sequence[Finding]) -> str:
    """The findings and the exit status as JSON."""
    content = {"status": exit_status(findings), "findings": [asdict(finding) for finding in findings]}
    return json.dumps(content, indent=1)


def _safely(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except RoamError as error:
        return Finding(check, PROBLEM, str(error))
    except Exception as error:  # whatever is broken is what we look for
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        remedy = remedies.after(str(error), _SUSPECTS.get(check, "roam-tracker"))
        return Finding(check, PROBLEM, f"{kind}{one_line(error)}.", remedy)


def check_python() -> Finding:
    """The interpreter's version."""
    found = ".".join(map(str, sys.version_info[:3]))
    if _TESTED_PYTHONS[0] <= sys.version_info[:2] <= _TESTED_PYTHONS[1]:
        return Finding("Python", OK, f"{found} at {sys.executable}")
    first, last = (".".join(map(str, version)) for version in _TESTED_PYTHONS)
    return Finding(
        "Python", NOTE, f"{found}; tested are {first} to {last}.", "Should anything fail, use these."
    )


def check_libraries() -> Finding:
    """Every direct requirement against what the package asks for, and against what was tested."""
    if wrong := remedies.unfit():
        told = [f"{name} is {remedies.installed(name) or 'missing'}" for name in wrong]
        return Finding("libraries", PROBLEM, f"{', '.join(told)}.", remedies.install(wrong.values()))
    other = []
    for name, tested in TESTED.items():
        found = metadata.version(name)
        if found.partition("+")[0] not in tested:  # 2.13.0+cpu is the same release
            other.append(f"{name} {found} (tested: {', '.join(tested)})")
    if other:
        return Finding("libraries", NOTE, f"{', '.join(other)}.", "Should anything fail, use those tested.")
    return Finding("libraries", OK, f"all {len(TESTED)} as tested, torch {metadata.version('torch')}")


def check_known_to_break() -> Finding:
    """The versions with which something is known to fail, and whether one of them is here."""
    if here := remedies.known_to_break():
        told = "; ".join(f"with {name} {remedies.installed(name)} {what}" for name, what in here.items())
        required = remedies.requirements()
        return Finding("known bad", PROBLEM, f"{told}.", remedies.install(required[name] for name in here))
    known = "; ".join(f"{line} ({what})" for line, what in remedies.KNOWN_TO_BREAK.items())
    return Finding("known bad", OK, f"none is installed: {known}")


def check_device(device: str) -> Finding:
    """What the tracker computes on."""
    import torch

    from roam_tracker.tracker import find_device

    found = find_device(device)
    if found.type == "cuda":
        return Finding("device", OK, f"{found}, {torch.cuda.get_device_name(found)}")
    if Path("/proc/driver/nvidia/version").exists() and not torch.cuda.is_available():
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        told = f"{found}, although there is an NVIDIA driver: torch is built {built}."
        return Finding("device", NOTE, told, "Install the torch that fits the driver.")
    cores = torch.get_num_threads()
    return Finding("device", OK, f"{found}, one thread; {cores} cores, of which `threads` may name more")


def check_weights() -> Finding:
    """Every shipped file against its published SHA-256."""
    folder = resources.files("roam_tracker").joinpath("weights")
    listed = [line.split() for line in folder.joinpath("SHA256SUMS").read_text("ascii").splitlines()]
    wrong, size = [], 0
    for digest, name in listed:
        entry = folder.joinpath(name)
        content = entry.read_bytes() if entry.is_file() else b""
        size += len(content)
        if hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"{name} is {'another file' if content else 'missing'}")
    if wrong:
        remedy = remedies.restore_ours("roam_tracker/weights")
        return Finding("weights", PROBLEM, f"{', '.join(wrong)}.", remedy)
    return Finding("weights", OK, f"{len(listed)} files, {size / 1e6:.1f} MB, with their published SHA-256")


def check_got10k() -> Finding:
    """Whether `python -m got10k.experiments` is ours and works."""
    for module in ("got10k.experiments", "roam_tracker.toolkits.experiments"):
        importlib.import_module(module)
    spec = importlib.util.find_spec("got10k.experiments.__main__")
    origin = None if spec is None else spec.origin
    if origin is None or "roam_tracker" not in Path(origin).read_text(encoding="utf-8"):
        told = "`python -m got10k.experiments` is not ours."
        return Finding("GOT-10k", PROBLEM, told, remedies.restore_ours())
    return Finding("GOT-10k", OK, f"got10k {metadata.version('got10k')}, python -m got10k.experiments")


def _check_vot(toolkit: Process) -> Finding:
    try:
        said = toolkit.communicate(timeout=_LIMIT_S)[0].decode(errors="replace").split("\n")
    except subprocess.TimeoutExpired:
        said = [f"no answer within {_LIMIT_S:.0f} s"]
    if toolkit.returncode != 0:
        last = next((line for line in reversed(said) if line.strip()), f"status {toolkit.returncode}")
        told = f"the toolkit cannot be loaded: {last}."
        return Finding("VOT", PROBLEM, told, remedies.after(last, "vot-toolkit"))
    return Finding("VOT", OK, f"vot-toolkit {metadata.version('vot-toolkit')}")


def _check_trax(tracker: Process, folder: Path) -> Finding:
    """Speak to the tracker as the VOT toolkit does, over some frames of a square."""
    from roam_tracker.core.geometry import overlap
    from roam_tracker.selfcheck.handshake import talk, write_square

    images, boxes = write_square(folder, _FRAMES)
    try:
        found = talk(tracker, images, boxes[0])
    except RunError as error:
        missing = remedies.after(str(error)) if "No module named" in str(error) else "Try: vot test ROAM"
        return Finding("TraX", PROBLEM, f"the tracker does not answer: {error}.", missing)
    least = float(overlap(found, boxes).min())
    told = f"ROAM answers; {_FRAMES} frames of a square with an overlap of {least:.2f} or more"
    if least < _LEAST_OVERLAP:
        expected = f"{told}, {_LEAST_OVERLAP} is expected."
        return Finding("TraX", PROBLEM, expected, remedies.restore_ours("roam_tracker"))
    return Finding("TraX", OK, told)


def check_root(root: str) -> Finding:
    """The layout of a data set's folder, the annotations of all sequences, and the first image."""
    folder = Path(root)
    if not folder.is_dir():
        return Finding("data set", PROBLEM, f"{root} is no folder.", "Give one that contains sequences.")
    from roam_tracker.datasets import open_dataset
    from roam_tracker.datasets.layouts import recognise
    from roam_tracker.images import levels_of, to_rgb

    fitting = recognise(folder)
    if fitting is None:
        told = f"{root} has the layout of no data set that is known."
        return Finding("data set", PROBLEM, told, "Give the folder that contains the sequences.")
    layout, version = fitting
    dataset = open_dataset(layout, root, version)
    dataset.check()
    images, boxes = dataset[0][:2]
    height, width = to_rgb(images[0], levels_of(images[0])).shape[:2]
    names = dataset.seq_names
    of = f" of {dataset.total}" if dataset.total > len(names) else ""
    told = f"{root}: layout {layout}, {len(names)}{of} sequences; {names[0]} has {len(images)} images "
    told += f"of {width} x {height} px and {len(boxes)} boxes"
    remarks = dataset.remarks()
    if remarks:
        return Finding("data set", NOTE, f"{told}.", " ".join(remarks))
    return Finding("data set", OK, told)


@contextmanager
def _running(code: str, folder: Path) -> Iterator[Process]:
    """A Python process as the VOT toolkit starts a tracker; it does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        cwd=folder,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _tracker(device: str, folder: Path) -> Any:
    words = ["ROAM", "--device", device]
    return _running(f"from roam_tracker.toolkits.vot import main; raise SystemExit(main({words!r}))", folder)

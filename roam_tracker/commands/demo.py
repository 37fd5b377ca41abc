"""`roam demo`: sample data, both toolkits, the report. What is done already is not done again."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from roam_tracker.commands import main
from roam_tracker.core.geometry import overlap
from roam_tracker.datasets.text import read_boxes
from roam_tracker.errors import RoamError, RunError
from roam_tracker.sample.write import sample_names, write_sample
from roam_tracker.toolkits.registry import check_name
from roam_tracker.toolkits.vot.check import check_workspace
from roam_tracker.toolkits.vot.workspace import init_workspace

_POLL_S, _TELL_S = 0.5, 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder for everything (default: demo)")
    parser.add_argument(
        "--tracker", nargs="+", default=["ROAM", "Static"], metavar="NAME", help="default: ROAM Static"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--frames", type=int, default=60, help="frames a sequence (default 60)")
    parser.add_argument("--sequences", type=int, default=6, help="number of sequences (default 6)")


def run(args: argparse.Namespace) -> int:
    """Do all steps; exit status 0, or 1 when a step failed."""
    trackers = list(dict.fromkeys(check_name(name) for name in args.tracker))
    out, start = Path(args.out).absolute(), time.perf_counter()
    sample, workspace = out / "sample", out / "workspace"

    _say(1, f"sample sequences in {sample}")
    if not write_sample(sample, args.seed, args.frames, args.sequences, progress=_tell):
        _tell("there already")
    _say(2, f"VOT workspace in {workspace}")
    _tell("ready" if init_workspace(workspace, sample / "VOT", "short") else "there already")
    _say(3, "VOT toolkit: three experiments, the tracker in its own process")
    _evaluate(workspace, trackers, args.device)
    _analyse(workspace, trackers)
    _say(4, "GOT-10k toolkit: one pass over each sequence, in the layouts of OTB and of GOT-10k")
    for dataset, root in (("folder", sample / "OTB"), ("GOT-10k", sample / "GOT-10k")):
        _toolkit(dataset, root, out, trackers, args.device)
    _say(5, "report of both")
    _report(out, sample, workspace, trackers)

    print("\nMean overlap with the truth, first frame left out")
    print(_table(sample / "OTB", out / "results/OTB", trackers, list(sample_names(args.sequences))))
    print(f"\nOpen {out / 'report' / 'index.html'}  ({time.perf_counter() - start:.0f} s)")
    return 0


def _say(step: int, line: str) -> None:
    print(f"{step}/5 {line}", flush=True)


def _tell(line: str) -> None:
    print(f"    {line}", flush=True)


def _complete(workspace: Path, trackers: list[str]) -> list[str]:
    """A sentence for each missing result; one if there is none at all."""
    try:
        return check_workspace(workspace, trackers)[1]
    except RoamError as error:
        return [str(error)]


def _evaluate(workspace: Path, trackers: list[str], device: str) -> None:
    """`vot evaluate`, with a line now and then; raises RunError unless every result is there afterwards."""
    if not _complete(workspace, trackers):
        _tell("all results are there already")
        return
    log = workspace / "evaluate.log"
    environment = os.environ | {"ROAM_DEVICE": device}
    total = 3 * len((workspace / "sequences/list.txt").read_text().split()) * len(trackers)
    start = told = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            _vot("evaluate", workspace, trackers), stdout=file, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                time.sleep(_POLL_S)
                if time.perf_counter() - told >= _TELL_S:
                    told = time.perf_counter()
                    begun = sum(any(run.glob("*.bin")) for run in _runs(workspace, trackers))
                    _tell(f"{begun} of {total} sequences begun or done, {told - start:.0f} s")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    problems = _complete(workspace, trackers)
    if problems:
        raise RunError(f"vot evaluate left results out: {problems[0]}. See {log} and {workspace}/logs.")
    _tell(f"all results of {', '.join(trackers)} are complete, {time.perf_counter() - start:.0f} s")


def _analyse(workspace: Path, trackers: list[str]) -> None:
    """The toolkit's own numbers and page, unless they are newer than every result."""
    newest = max(path.stat().st_mtime for run in _runs(workspace, trackers) for path in run.iterdir())
    # its cache outlives the results that it was computed from
    environment = os.environ | {"VOT_PERSISTENT_CACHE": "0", "MPLBACKEND": "Agg"}
    for verb, product in (("analysis", "analysis/demo.json"), ("report", "reports/demo/report.html")):
        path = workspace / product
        if not path.is_file() or path.stat().st_mtime < newest:
            command = [*_vot(verb, workspace, trackers), "--name", "demo"]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            if not path.is_file():
                said = " ".join((done.stderr + done.stdout).split())[-300:]
                raise RunError(f"vot {verb} wrote no {path}: {said}")
        _tell(str(path))


def _vot(verb: str, workspace: Path, trackers: list[str]) -> list[str]:
    return [sys.executable, "-m", "vot", verb, *trackers, "--workspace", str(workspace)]


def _runs(workspace: Path, trackers: list[str]) -> list[Path]:
    """The folders of results, one for each experiment and sequence."""
    return [run for tracker in trackers for run in (workspace / "results" / tracker).glob("*/*")]


def _toolkit(dataset: str, root: Path, out: Path, trackers: list[str], device: str) -> None:
    """`python -m got10k.experiments` on one data set; its lines are shown as they come."""
    command = [sys.executable, "-m", "got10k.experiments", "--tracker", *trackers, "--dataset", dataset]
    command += ["--root", str(root), "--device", device, "--workers", str(os.cpu_count() or 1)]
    command += ["--result-dir", str(out / "results"), "--report-dir", str(out / "reports")]
    status = subprocess.run(command, check=False).returncode
    if status:
        raise RunError(f"The run on {dataset} ended with exit status {status}; the reason stands above.")


def _report(out: Path, sample: Path, workspace: Path, trackers: list[str]) -> None:
    argv = ["report", "--out", str(out / "report"), "--tracker", *trackers]
    for benchmark, raw, truth in (
        ("OTB", out / "results/OTB", sample / "OTB"),
        ("GOT-10k", out / "results/GOT-10k", sample / "GOT-10k"),
        ("VOT", workspace, workspace),
    ):
        argv += ["--benchmark", benchmark, "--results", str(raw), "--annotations", str(truth)]
    if main(argv):
        raise RunError("The report is not complete; the reason stands above.")


def _table(truth: Path, results: Path, trackers: list[str], sequences: list[str]) -> str:
    """Mean overlap of each sequence and tracker as text."""
    rows = {}
    for name in sequences:
        boxes = read_boxes(truth / name / "groundtruth_rect.txt")[1:]
        files = [results / tracker / f"{name}.txt" for tracker in trackers]
        found = [np.loadtxt(file, delimiter=",", ndmin=2)[1:] for file in files]
        rows[name] = [float(overlap(boxes, track).mean()) for track in found]
    rows["all"] = [float(np.mean(column)) for column in zip(*rows.values(), strict=True)]
    width = max(map(len, [*rows, "sequence"])) + 2
    lines = ["sequence".ljust(width) + "".join(f"{tracker:>10}" for tracker in trackers)]
    lines += [name.ljust(width) + "".join(f"{value:>10.3f}" for value in row) for name, row in rows.items()]
    return "\n".join(lines)

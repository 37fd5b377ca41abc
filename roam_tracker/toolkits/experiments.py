"""`python -m got10k.experiments`: run trackers on a data set with the GOT-10k toolkit and report.

`python -m roam_tracker.toolkits.experiments` is the same command under our own name.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError, RoamError, RunError, guarded
from roam_tracker.toolkits.got10k.settings import RunSettings, dataset_names, overridden, read_settings
from roam_tracker.toolkits.registry import TRACKERS, deterministic, label, preset_of


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report; exit status 0 fine, 1 failed work, 2 bad input."""
    args = parser().parse_args(argv)
    return guarded(lambda: run(args), debug=args.debug)


def run(args: argparse.Namespace) -> int:
    """Run all trackers, report the finished ones, print the numbers; the exit status of the first failure."""
    settings = overridden(read_settings(args.dataset), vars(args))
    trackers = {label(tracker): tracker for tracker in settings.tracker}
    experiment = open_experiment(settings)
    from roam_tracker.toolkits.run.manifest import Manifest
    from roam_tracker.toolkits.run.schedule import Plan, carry_out

    dataset = experiment.dataset
    if dataset.missing:
        print(f"Not in {settings.root}, left out: {', '.join(dataset.missing)}", flush=True)
    if settings.sequences:
        dataset.select(settings.sequences)
    dataset.check()
    for remark in dataset.remarks():
        print(remark, flush=True)
    used = f"{len(dataset.seq_names)} of {dataset.total} sequences"
    print(f"{settings.name}: {used}, results go to {experiment.result_dir}", flush=True)

    plans, status = [], 0
    for name, tracker in trackers.items():
        record = bool(settings.record) and preset_of(tracker) is not None
        recordings = Path(settings.record, Path(experiment.result_dir).name, name) if record else None
        repetitions = 1 if deterministic(tracker) else getattr(experiment, "repetitions", 1)
        try:
            manifest = Manifest(Path(experiment.result_dir, name), tracker)
        except RoamError as error:  # the others still get their turn
            status = status or _tell(error, args.debug)
            continue
        plans.append(Plan(experiment, tracker, name, manifest, repetitions, record, recordings))
    failures = carry_out(plans, _pool(settings, args.ray)) if plans else []
    for failure in failures:
        if args.debug:
            print(failure.trace, file=sys.stderr)
        status = status or failure.error.exit_status
        print(f"{type(failure.error).__name__}: {failure.error}", file=sys.stderr, flush=True)
    if len(failures) > 1:
        failed = ", ".join(f"{label(failure.job.tracker)} on {failure.job.sequence}" for failure in failures)
        print(f"{len(failures)} sequences failed: {failed}", file=sys.stderr, flush=True)
    finished = [
        plan.name for plan in plans if experiment.is_finished(plan.manifest, plan.name, plan.repetitions)
    ]
    if finished:
        performance = _report(experiment, finished)
        if performance is not None:
            numbers = {name: experiment.headline(performance, name) for name in finished}
            print(f"\n{settings.name}, {used}; report in {experiment.report_dir}/{finished[0]}")
            print(_table(numbers), flush=True)
    return status


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    sets = "\n".join(f"  {name:<14}{line}" for name, line in dataset_names().items())
    names = (
        f"{', '.join(TRACKERS)},\n  ROAM with a preset of yours: FILE.toml, a tracker of yours: module:Class"
    )
    lists = f"data sets:\n{sets}\ntrackers:\n  {names}"
    options = argparse.ArgumentParser(
        prog="python -m got10k.experiments",
        description="Run trackers on a data set with the GOT-10k toolkit, then write its report.",
        epilog=f"{lists}\nOur trackers are deterministic: one repetition is enough, and the number of "
        "workers\nchanges no box. Finished sequences are not run again. Delete their result files to "
        "repeat them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--tracker", nargs="+", action="extend", metavar="NAME", help="see below (default: ROAM)")
    add("--dataset", required=True, metavar="DATASET", help="see below, or a file of settings: FILE.toml")
    add("--root", metavar="DIR", help="folder that contains the sequences")
    add("--sequences", nargs="+", metavar="NAME", help="only these sequences")
    add("--result-dir", metavar="DIR", help="raw boxes (default: results)")
    add("--report-dir", metavar="DIR", help="scores, plots (default: reports)")
    add("--record", metavar="DIR", help="also write what the updates did: DIR/DATASET/TRACKER/SEQUENCE.json")
    add("--device", help="auto (spread over the visible GPUs), cpu, cuda, cuda:1 (default: auto)")
    add(
        "--batch",
        type=int,
        metavar="B",
        help="so many sequences at once on one device, for GPUs (default: 1)",
    )
    add("--workers", type=int, metavar="N", help="processes, a sequence each; 0: this one (default: 1)")
    add("--threads", type=int, metavar="N", help="of each process; 0: as PyTorch likes (default: 1)")
    add("--timeout", type=float, metavar="S", help="seconds that one frame may take (default: 30)")
    add("--retries", type=int, metavar="N", help="of a sequence whose process was killed (default: 2)")
    add(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="on a Ray cluster; without an address on one that is started here with --workers processes",
    )
    add("--debug", action="store_true", help="show the traceback of an error")
    return options


def open_experiment(settings: RunSettings) -> Any:
    """The experiment that the settings name, on the sequences that are there; nothing is run yet.

    Raises ConfigError without a root, DataError for a root that holds nothing of it.
    """
    if not settings.root:
        raise ConfigError(f"Say where the sequences of {settings.name} are: --root DIR")
    _need_toolkit()
    from roam_tracker.datasets import open_dataset
    from roam_tracker.toolkits.got10k import onepass
    from roam_tracker.toolkits.got10k.lasot_trackingnet import LaSOT, TrackingNet

    dataset = open_dataset(settings.layout, settings.root, settings.version)
    title, kinds = settings.name, {"uav": onepass.UAV, "lasot": LaSOT, "trackingnet": TrackingNet}
    if settings.layout == "nfs":
        title = f"NfS/{settings.version}"  # as the toolkit has it
    elif settings.layout == "folder":
        title = Path(settings.root).resolve().name or settings.name
    kind: Any = kinds.get(settings.layout, onepass.FilePerSequence)
    if dataset.layout == "got10k":
        kind = onepass.FolderPerSequence
    return kind(dataset, title, settings.result_dir, settings.report_dir)


def _need_toolkit() -> None:
    """Import the toolkit, drawing into files only; raises RunError saying what is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import got10k.datasets
        import got10k.experiments
        import got10k.trackers  # noqa: F401
    except ImportError as error:
        raise RunError(
            f"The GOT-10k toolkit cannot start ({error}). Run: pip install got10k==0.1.3 six"
        ) from error


def _pool(settings: RunSettings, ray: str | None) -> Any:
    """Who does the work."""
    from roam_tracker.toolkits.run.jobs import Here, Worker

    if settings.batch > 1 and (ray is not None or settings.workers > 1):
        raise ConfigError("--batch follows sequences in one process. Leave out --workers and --ray.")
    limits: dict[str, Any] = {"timeout_s": settings.timeout, "retries": settings.retries}
    if ray is not None:
        from roam_tracker.toolkits.run.ray import RayCluster

        return RayCluster(ray, max(1, settings.workers), settings.device, settings.threads, **limits)
    if settings.batch > 1:
        from roam_tracker.toolkits.run.together import Together

        return Together(settings.batch, settings.device, settings.threads)
    if settings.workers == 0:
        return Here(Worker(settings.device, settings.threads))
    from roam_tracker.toolkits.run.processes import Processes

    return Processes(settings.workers, _devices(settings), settings.threads, **limits)


def _devices(settings: RunSettings) -> list[str]:
    """The devices that workers get in turn: all visible GPUs if the device is `auto` and there are some."""
    if settings.device == "auto" and any(preset_of(tracker) is not None for tracker in settings.tracker):
        import torch

        if torch.cuda.is_available():
            return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [settings.device]


def _tell(error: RoamError, debug: bool) -> int:
    if debug:
        raise error
    print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    return error.exit_status


def _report(experiment: Any, trackers: list[str]) -> dict[str, Any] | None:
    """The toolkit's own report; None where the truth is not public."""
    from matplotlib import pyplot

    performance: dict[str, Any] | None = experiment.report(trackers)
    pyplot.close("all")  # the toolkit leaves its figures open
    return performance


def _table(numbers: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(numbers.values())))
    width = max(8, *map(len, numbers))
    lines = ["tracker".ljust(width) + "".join(f"{column:>11}" for column in columns)]
    for name, values in numbers.items():
        cells = (f"{values[c]:>11.1f}" if c == "frames/s" else f"{values[c]:>11.3f}" for c in columns)
        lines.append(name.ljust(width) + "".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    raise SystemExit(main())

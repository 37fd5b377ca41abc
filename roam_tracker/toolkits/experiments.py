"""`python -m got10k.experiments`: run trackers on a data set with the GOT-10k toolkit and report.

`python -m roam_tracker.toolkits.experiments` is the same command under our own name.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError, RoamError, RunError, guarded
from roam_tracker.files import nearest
from roam_tracker.toolkits.registry import TRACKERS, label

# name on the command line and of the folder under results: the toolkit's version of OTB
OTB_VERSIONS: dict[str, int | str | None] = {
    "OTB2013": 2013,
    "OTB50": "tb50",
    "OTB2015": 2015,
    "OTB-folder": None,
}
DATASETS = {
    "OTB2013": "51 sequences in 50 folders, Jogging counts twice",
    "OTB50": "the 50 harder ones of OTB2015, Skating2 counts twice",
    "OTB2015": "100 sequences in 98 folders",
    "OTB-folder": "every sequence of a folder in OTB's layout, whatever its name",
    "GOT-10k": "the validation set; the folder must contain `val`",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report; exit status 0 fine, 1 failed work, 2 bad input."""
    args = parser().parse_args(argv)
    return guarded(lambda: run(args), debug=args.debug)


def run(args: argparse.Namespace) -> int:
    """Run all trackers, report the finished ones, print the numbers; the exit status of the first failure."""
    trackers = {label(tracker): tracker for tracker in args.tracker}
    experiment = _experiment(args)
    dataset = experiment.dataset
    if dataset.missing:
        print(f"Not in {args.root}, left out: {', '.join(dataset.missing)}", flush=True)
    if args.sequences:
        dataset.select(args.sequences)
    dataset.check()
    used = f"{len(dataset.seq_names)} of {dataset.total} sequences"
    print(f"{args.dataset}: {used}, results go to {experiment.result_dir}", flush=True)

    status = 0
    for tracker in trackers.values():
        try:
            experiment.run(_adapter(tracker, args))
        except RoamError as error:  # the others still get their turn
            if args.debug:
                raise
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            status = status or error.exit_status
    finished = [name for name in trackers if experiment.is_finished(name)]
    if finished:
        numbers = _report(experiment, finished)
        print(f"\n{args.dataset}, {used}; report in {experiment.report_dir}/{finished[0]}")
        print(_table(numbers), flush=True)
    return status


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    sets = "\n".join(f"  {name:<12}{line}" for name, line in DATASETS.items())
    names = f"{', '.join(TRACKERS)}, or ROAM with a preset of your own: FILE.toml"
    lists = f"data sets:\n{sets}\ntrackers:\n  {names}"
    options = argparse.ArgumentParser(
        prog="python -m got10k.experiments",
        description="Run trackers on a data set with the GOT-10k toolkit, then write its report.",
        epilog=f"{lists}\nFinished sequences are not run again. Delete their result files to repeat them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--tracker",
        nargs="+",
        action="extend",
        metavar="NAME",
        required=True,
        help="see below, or a preset file",
    )
    options.add_argument("--dataset", required=True, metavar="DATASET", help="see below")
    options.add_argument("--root", required=True, metavar="DIR", help="folder that contains the sequences")
    options.add_argument("--sequences", nargs="+", metavar="NAME", help="only these sequences")
    options.add_argument(
        "--result-dir", default="results", metavar="DIR", help="raw boxes (default: results)"
    )
    options.add_argument(
        "--report-dir", default="reports", metavar="DIR", help="scores, plots (default: reports)"
    )
    options.add_argument(
        "--record", metavar="DIR", help="also write what the updates did: DIR/DATASET/TRACKER/SEQUENCE.json"
    )
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return options


def _experiment(args: argparse.Namespace) -> Any:
    if args.dataset not in DATASETS:
        raise ConfigError(f"There is no data set named {args.dataset!r}: {nearest(args.dataset, DATASETS)}")
    _need_toolkit()
    from roam_tracker.toolkits.got10k import PartialOTB, ValGOT10k

    if args.dataset == "GOT-10k":
        return ValGOT10k(args.root, args.result_dir, args.report_dir)
    version = OTB_VERSIONS[args.dataset]
    return PartialOTB(args.root, args.dataset, version, args.result_dir, args.report_dir)


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


def _adapter(tracker: str, args: argparse.Namespace) -> Any:
    from roam_tracker.toolkits.got10k import RoamGot10k

    recordings = Path(args.record, args.dataset, label(tracker)) if args.record else None
    return RoamGot10k(tracker, args.device, recordings)


def _report(experiment: Any, trackers: list[str]) -> dict[str, dict[str, float]]:
    """The toolkit's own report; tracker -> headline numbers."""
    from matplotlib import pyplot

    performance = experiment.report(trackers)
    pyplot.close("all")  # the toolkit leaves its figures open
    return {name: experiment.headline(performance, name) for name in trackers}


def _table(numbers: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(numbers.values())))
    width = max(8, *map(len, numbers))
    lines = ["tracker".ljust(width) + "".join(f"{column:>11}" for column in columns)]
    for name, values in numbers.items():
        cells = (f"{values[c]:>11.1f}" if c == "frames/s" else f"{values[c]:>11.3f}" for c in columns)
        lines.append(name.ljust(width) + "".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())

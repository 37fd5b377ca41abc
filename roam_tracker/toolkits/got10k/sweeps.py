"""Runs sweeps with the GOT-10k toolkit: what is finished is not run again.

<results>/presets/<tracker>.toml                           settings of the trackers that a sweep makes
<results>/<data set>/<tracker>/                            their results, see got10k.py
<results>/recordings/<data set>/<tracker>/<seq>.json       what the updates did, where it is recorded
"""

from collections.abc import Sequence
from pathlib import Path

from roam_tracker.files import write_atomic
from roam_tracker.report.paper.sweeps import Sweep
from roam_tracker.toolkits import experiments


def run_sweep(
    sweep: Sweep,
    root: str | Path,
    results: str | Path,
    *,
    dataset: str | None = None,
    sequences: Sequence[str] = (),
    device: str = "auto",
    reports: str | Path = "reports",
    workers: int = 1,
    threads: int = 1,
) -> int:
    """Run every tracker of a sweep on the sequences under `root`; the first failure's exit status, or 0.

    dataset:   in place of the sweep's own
    sequences: only these; none = all
    reports:   where the toolkit's own report goes
    workers, threads: as those of `python -m got10k.experiments`
    """
    results = Path(results)
    trackers = []
    for point in sweep.points:
        if point.preset is None:
            trackers.append(point.tracker)
            continue
        file = results / "presets" / f"{point.tracker}.toml"
        if not file.is_file() or file.read_text(encoding="utf-8") != point.preset:
            write_atomic(file, point.preset)
        trackers.append(str(file))
    argv = ["--tracker", *trackers, "--dataset", dataset or sweep.dataset, "--root", str(root)]
    argv += ["--result-dir", str(results), "--report-dir", str(reports), "--device", device]
    argv += ["--workers", str(workers), "--threads", str(threads)]
    if sweep.record:
        argv += ["--record", str(results / "recordings")]
    if sequences:
        argv += ["--sequences", *sequences]
    return experiments.run(experiments.parser().parse_args(argv))

"""Experiments of the GOT-10k toolkit that do not download or guess, in its own style: `run`, then `report`.

Results lie where the toolkit puts them and look as it writes them:

    <result_dir>/<data set>/<tracker>/<seq>.txt             x,y,w,h a line, %.3f
    <result_dir>/<data set>/<tracker>/times/<seq>_time.txt  seconds a line, %.8f
    <result_dir>/GOT-10k/<tracker>/<seq>/<seq>_001.txt      GOT-10k, with <seq>_time.txt beside it

The times are written first and the boxes next, each file whole or not at all, then the line in
`<tracker>/manifest.json` that tells what made them; only a result with all three counts as finished.
"""

import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
from got10k.experiments import ExperimentGOT10k, ExperimentOTB, ExperimentUAV123
from numpy.typing import NDArray

from roam_tracker.errors import ResultError
from roam_tracker.files import write_atomic
from roam_tracker.toolkits.got10k.archives import write_archive
from roam_tracker.toolkits.run.identity import data_identity
from roam_tracker.toolkits.run.jobs import Here, Outcome, Tracker
from roam_tracker.toolkits.run.manifest import Manifest
from roam_tracker.toolkits.run.schedule import Plan, carry_out

Array = NDArray[np.float64]


class OnePass:
    """What our experiments share: each sequence once from its first frame, resumed on whole results only."""

    dataset: Any
    result_dir: str
    report_dir: str

    def run(self, tracker: Tracker, visualize: bool = False) -> None:
        """Track every sequence that has no trusted result, with any tracker of the toolkit's.

        Raises the error of the first sequence that failed, after the others.
        """
        here = Here()
        here.worker.visualize = visualize
        ours = getattr(tracker, "tracker", None)
        here.worker.use(ours or tracker.name, tracker)
        manifest = Manifest(
            Path(self.result_dir, tracker.name), ours or tracker.name, foreign=None if ours else type(tracker)
        )
        record = getattr(tracker, "record", False)
        plan = Plan(self, ours or tracker.name, tracker.name, manifest, self.repetitions_of(tracker), record)
        failures = carry_out([plan], here)
        if failures:
            raise failures[0].error

    def repetitions_of(self, tracker: Any) -> int:
        """How often a sequence is run; once but on GOT-10k."""
        return 1

    def files(self, tracker: str, sequence: str, repetitions: int = 1) -> list[Path]:
        """Where the boxes of a sequence go, a file for each repetition."""
        raise NotImplementedError

    def time_file(self, tracker: str, sequence: str) -> Path:
        """Where the seconds a frame go, a column for each repetition."""
        raise NotImplementedError

    def fault(
        self, manifest: Manifest, tracker: str, sequence: str, frames: int, repetitions: int = 1
    ) -> str | None:
        """None for a finished result, "" for none at all, else why the one that is there is not trusted."""
        files = self.files(tracker, sequence, repetitions)
        if not any(file.is_file() for file in files):
            return ""
        for file in files:
            if not file.is_file():
                return f"the result found has no {file.name}"
            rows = count_rows(file, 4)
            if rows != frames:
                return f"the result found has {rows} of {frames} rows"
        times = self.time_file(tracker, sequence)
        if not times.is_file() or count_rows(times, repetitions) != frames:
            return "the result found has no times, or those of another run"
        doubt = manifest.doubt(sequence, [file.read_bytes() for file in files], self._data(sequence))
        return f"the result found is not trusted ({doubt})" if doubt else None

    def save(self, manifest: Manifest, tracker: str, outcome: Outcome, workers: int) -> None:
        """Write what a job found."""
        sequence, repetitions = outcome.job.sequence, len(outcome.boxes)
        contents = [table(boxes, "%.3f") for boxes in outcome.boxes]
        write_atomic(self.time_file(tracker, sequence), table(np.column_stack(outcome.times), "%.8f"))
        for file, content in zip(self.files(tracker, sequence, repetitions), contents, strict=True):
            write_atomic(file, content)
        seed = None if repetitions == 1 else "the number of the repetition, from 0"
        made = outcome.made | {"workers": workers, "seed": seed}
        manifest.add(sequence, made, [content.encode() for content in contents], self._data(sequence))

    @functools.cache  # noqa: B019  (an experiment lives as long as its command)
    def _data(self, sequence: str) -> str:
        images, boxes = self.dataset[sequence][:2]
        return data_identity(images, boxes[0])

    def is_finished(self, manifest: Manifest, tracker: str, repetitions: int = 1) -> bool:
        """Whether every sequence has a trusted result."""
        pairs = zip(self.dataset.seq_names, self.dataset.check(), strict=True)
        return all(self.fault(manifest, tracker, *pair, repetitions) is None for pair in pairs)


class FilePerSequence(OnePass, ExperimentOTB):
    """OTB's one-pass evaluation: OTB, NfS, DTB70, TColor128 and folders in OTB's layout.

    title: name of the data set and of its folder under result_dir and report_dir
    """

    def __init__(
        self, dataset: Any, title: str, result_dir: str = "results", report_dir: str = "reports"
    ) -> None:
        self.dataset = dataset
        self.result_dir, self.report_dir = str(Path(result_dir, title)), str(Path(report_dir, title))
        self.nbins_iou, self.nbins_ce = 21, 51

    def files(self, tracker: str, sequence: str, repetitions: int = 1) -> list[Path]:
        """`<result_dir>/<tracker>/<seq>.txt`."""
        return [Path(self.result_dir, tracker, f"{sequence}.txt")]

    def time_file(self, tracker: str, sequence: str) -> Path:
        """`<result_dir>/<tracker>/times/<seq>_time.txt`."""
        return Path(self.result_dir, tracker, "times", f"{sequence}_time.txt")

    def headline(self, performance: dict[str, Any], tracker: str) -> dict[str, float]:
        """The numbers of the toolkit's report that people quote."""
        overall = performance[tracker]["overall"]
        return {
            "success": overall["success_score"],
            "precision": overall["precision_score"],
            "rate@0.5": overall["success_rate"],
            "frames/s": overall["speed_fps"],
        }


class UAV(FilePerSequence):
    """UAV123 and UAV20L: frames whose annotation is NaN do not count."""

    _calc_metrics = ExperimentUAV123._calc_metrics


class FolderPerSequence(OnePass, ExperimentGOT10k):
    """GOT-10k's validation or test set, or a folder in its layout; a stochastic tracker runs three times."""

    def __init__(
        self, dataset: Any, title: str, result_dir: str = "results", report_dir: str = "reports"
    ) -> None:
        self.dataset, self.subset = dataset, "test" if dataset.hidden else "val"
        self.result_dir, self.report_dir = str(Path(result_dir, title)), str(Path(report_dir, title))
        self.nbins_iou, self.repetitions = 101, 3

    def repetitions_of(self, tracker: Any) -> int:
        """One for a deterministic tracker, else three."""
        return 1 if tracker.is_deterministic else self.repetitions

    def files(self, tracker: str, sequence: str, repetitions: int = 1) -> list[Path]:
        """`<result_dir>/<tracker>/<seq>/<seq>_001.txt`, `_002.txt`, ..."""
        folder = Path(self.result_dir, tracker, sequence)
        return [folder / f"{sequence}_{number:03d}.txt" for number in range(1, repetitions + 1)]

    def time_file(self, tracker: str, sequence: str) -> Path:
        """`<result_dir>/<tracker>/<seq>/<seq>_time.txt`."""
        return Path(self.result_dir, tracker, sequence, f"{sequence}_time.txt")

    def report(self, tracker_names: list[str]) -> dict[str, Any] | None:
        """The toolkit's report of the validation set; of the test set the archive that its server takes."""
        if not self.dataset.hidden:
            performance: dict[str, Any] = super().report(tracker_names)
            return performance
        for name in tracker_names:
            results = [file for seq in self.dataset.seq_names for file in self._submitted(name, seq)]
            write_archive(
                Path(self.result_dir, f"{name}.zip"), Path(self.result_dir, name), results, self.dataset
            )
        return None

    def _submitted(self, tracker: str, sequence: str) -> list[Path]:
        there = [file for file in self.files(tracker, sequence, self.repetitions) if file.is_file()]
        return [*there, self.time_file(tracker, sequence)]

    def headline(self, performance: dict[str, Any], tracker: str) -> dict[str, float]:
        """The numbers of the toolkit's report that people quote."""
        overall = performance[tracker]["overall"]
        return {"AO": overall["ao"], "SR0.5": overall["sr"], "frames/s": overall["speed_fps"]}


def table(rows: Array, number: str) -> str:
    """Rows of numbers as text, comma between them."""
    buffer = io.StringIO()
    np.savetxt(buffer, rows, fmt=number, delimiter=",")
    return buffer.getvalue()


def count_rows(file: Path, columns: int) -> int:
    """Leading rows of so many numbers; the last line counts only with its end: a kill may have cut it."""
    try:
        lines = file.read_text().split("\n")[:-1]
    except UnicodeDecodeError:
        return 0
    except OSError as error:
        raise ResultError(f"{file} cannot be read: {error.strerror}. Delete it.") from error
    for index, line in enumerate(lines):
        try:
            if len([float(word) for word in line.split(",")]) != columns:
                return index
        except ValueError:
            return index
    return len(lines)

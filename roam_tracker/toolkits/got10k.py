"""The GOT-10k toolkit: our tracker as its tracker, and experiments that do not download or guess.

Results lie where the toolkit puts them and look as it writes them:

    <result_dir>/<data set>/<tracker>/<seq>.txt             OTB: x,y,w,h a line, %.3f
    <result_dir>/<data set>/<tracker>/times/<seq>_time.txt  OTB: seconds a line, %.8f
    <result_dir>/GOT-10k/<tracker>/<seq>/<seq>_001.txt      GOT-10k, with <seq>_time.txt beside it

The times file is written first, so whoever finds the boxes finds both.
`<tracker>/manifest.json` tells what made them, see manifest.py.
"""

import io
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from got10k.experiments import ExperimentGOT10k, ExperimentOTB
from got10k.trackers import Tracker
from numpy.typing import NDArray
from PIL import Image

from roam_tracker.errors import ImageError, RoamError, RunError
from roam_tracker.files import write_atomic
from roam_tracker.recording import Recorder
from roam_tracker.toolkits.datasets import FolderOTB, PartialGOT10k
from roam_tracker.toolkits.manifest import Manifest
from roam_tracker.toolkits.registry import Follower, create, label, preset_of

Array = NDArray[np.float64]


class RoamGot10k(Tracker):
    """A tracker of our registry as the toolkit wants it; made when the first frame is there.

    recordings: a folder for one file a sequence of what the updates did, see recording.py
    """

    def __init__(self, tracker: str, device: str = "auto", recordings: Path | None = None) -> None:
        super().__init__(label(tracker), is_deterministic=True)
        self.tracker, self.device, self.recordings = tracker, device, recordings
        self.follower: Follower | None = None

    def prepare(self) -> Follower:
        """The tracker itself, made at the first call."""
        if self.follower is None:
            self.follower = create(self.tracker, self.device)
        return self.follower

    def init(self, image: Image.Image, box: Array) -> None:
        """Start on box (4,) x, y, w, h in px."""
        self.prepare().init(image, box)

    def update(self, image: Image.Image) -> Array:
        """The box (4,) in the next image."""
        return self.prepare().update(image)

    def track(self, img_files: list[str], box: Array, visualize: bool = False) -> tuple[Array, Array]:
        """Boxes (N, 4) in px and seconds a frame (N,); as in the toolkit, decoding the image counts."""
        boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        follower = self.prepare()  # loading a network is no part of the first frame
        follower.recording = None if self.recordings is None else Recorder()
        for f, file in enumerate(img_files):
            start = time.perf_counter()
            image = _read_image(file)
            try:
                if f == 0:
                    self.init(image, box)
                    boxes[0] = box
                else:
                    boxes[f] = self.update(image)
            except RoamError:
                raise
            except Exception as error:
                raise RunError(f"{self.name} failed on {file}: {type(error).__name__}: {error}") from error
            times[f] = time.perf_counter() - start
            if not np.isfinite(boxes[f]).all():
                raise RunError(
                    f"{self.name} returned the box {boxes[f].tolist()} on {file}, which is not finite."
                )
            if visualize:
                from got10k.utils.viz import show_frame

                show_frame(image, boxes[f])
        return boxes, times

    def write_recording(self, sequence: str) -> None:
        """Write what the updates of the last sequence did, if they were recorded and there were any."""
        recording = self.prepare().recording
        if self.recordings is not None and recording is not None and recording.steps:
            recording.write(self.recordings / f"{sequence}.json")

    def lacks_recording(self, sequence: str) -> bool:
        """Whether a recording is wanted and absent; a tracker without a preset has no updates."""
        if self.recordings is None or preset_of(self.tracker) is None:
            return False
        return not (self.recordings / f"{sequence}.json").is_file()


def _read_image(file: str) -> Image.Image:
    try:
        with Image.open(file) as image:
            rgb = image.convert("RGB")
            rgb.filename = file  # type: ignore[attr-defined]  # an oracle finds the true box beside it
            return rgb
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(
            f"{file} cannot be read as an image ({error}). Restore the file; finished sequences are kept."
        ) from error


class _Careful:
    """A run that tells how far it is, resumes on whole results only, and writes nothing by halves."""

    dataset: Any
    result_dir: str
    report_dir: str

    def run(self, tracker: RoamGot10k, visualize: bool = False) -> None:
        """Track every sequence that has no whole result yet; prints a line a sequence.

        A sequence that lacks only the recording is tracked for it; its results stay as they are.
        """
        names, lengths = self.dataset.seq_names, self.dataset.check()
        manifest = Manifest(Path(self.result_dir, tracker.name), tracker.tracker)
        rows = [self.rows(tracker.name, name) for name in names]
        whole = [found == length for length, found in zip(lengths, rows, strict=True)]
        due = [not here or tracker.lacks_recording(name) for here, name in zip(whole, names, strict=True)]
        waiting = sum(length for length, todo in zip(lengths, due, strict=True) if todo)
        done, start = 0, time.perf_counter()
        for s, (name, length, found) in enumerate(zip(names, lengths, rows, strict=True)):
            head = f"[{s + 1}/{len(names)}] {tracker.name} {name}"
            if not due[s]:
                print(f"{head}: finished before", flush=True)
                continue
            if found is not None and not whole[s]:
                print(f"{head}: the result found has {found} of {length} rows, run again", flush=True)
            images, boxes = self.dataset[s][:2]
            boxes, times = tracker.track(images, boxes[0], visualize=visualize)
            tracker.write_recording(name)
            if not whole[s]:
                manifest.add(name, tracker.prepare())
                self._record(self.record_file(tracker.name, name), boxes, times)
            done += length
            rate = length / max(times.sum(), 1e-9)
            left = (waiting - done) * (time.perf_counter() - start) / done
            print(f"{head}: {length} frames, {rate:.1f} frames/s, {_duration(left)} left", flush=True)

    def is_finished(self, tracker: str) -> bool:
        """Whether every sequence has a result with a row for every frame."""
        pairs = zip(self.dataset.seq_names, self.dataset.check(), strict=True)
        return all(self.rows(tracker, name) == length for name, length in pairs)

    def rows(self, tracker: str, sequence: str) -> int | None:
        """The number of leading rows of four numbers in a result file; None if there is no file."""
        try:
            lines = Path(self.record_file(tracker, sequence)).read_text().split("\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        whole = lines[:-1]  # the last line counts only with its line end: a kill may have cut it
        for index, line in enumerate(whole):
            try:
                if len([float(word) for word in line.split(",")]) != 4:
                    return index
            except ValueError:
                return index
        return len(whole)

    def record_file(self, tracker: str, sequence: str) -> str:
        """Where the boxes of a sequence go."""
        raise NotImplementedError

    def _record(self, record_file: str, boxes: Array, times: Array) -> None:
        write_atomic(self.time_file(record_file), _text(times[:, None], "%.8f"))
        write_atomic(record_file, _text(boxes, "%.3f"))

    def time_file(self, record_file: str) -> Path:
        """Where the seconds a frame go, beside a file of boxes."""
        raise NotImplementedError


class PartialOTB(_Careful, ExperimentOTB):
    """OTB's one-pass evaluation on the sequences that are there.

    title:   name of the data set and of its folder under result_dir and report_dir
    version: the toolkit's version, or None for any folder in OTB's layout
    """

    def __init__(
        self, root_dir: str, title: str, version: int | str | None, result_dir: str, report_dir: str
    ) -> None:
        self.dataset = FolderOTB(root_dir, version)
        self.result_dir, self.report_dir = str(Path(result_dir, title)), str(Path(report_dir, title))
        self.nbins_iou, self.nbins_ce = 21, 51

    def record_file(self, tracker: str, sequence: str) -> str:
        """`<result_dir>/<tracker>/<seq>.txt`."""
        return str(Path(self.result_dir, tracker, f"{sequence}.txt"))

    def time_file(self, record_file: str) -> Path:
        """`times/<seq>_time.txt` beside it."""
        path = Path(record_file)
        return path.parent / "times" / f"{path.stem}_time.txt"

    def headline(self, performance: dict[str, Any], tracker: str) -> dict[str, float]:
        """The numbers of the toolkit's report that people quote."""
        overall = performance[tracker]["overall"]
        return {
            "success": overall["success_score"],
            "precision": overall["precision_score"],
            "rate@0.5": overall["success_rate"],
            "frames/s": overall["speed_fps"],
        }


class ValGOT10k(_Careful, ExperimentGOT10k):
    """GOT-10k's validation set, one repetition, on the sequences that are there."""

    def __init__(self, root_dir: str, result_dir: str, report_dir: str) -> None:
        self.subset = "val"
        self.dataset = PartialGOT10k(root_dir)
        self.result_dir = str(Path(result_dir, "GOT-10k"))
        self.report_dir = str(Path(report_dir, "GOT-10k"))
        self.nbins_iou, self.repetitions = 101, 1

    def record_file(self, tracker: str, sequence: str) -> str:
        """`<result_dir>/<tracker>/<seq>/<seq>_001.txt`."""
        return str(Path(self.result_dir, tracker, sequence, f"{sequence}_001.txt"))

    def time_file(self, record_file: str) -> Path:
        """`<seq>_time.txt` beside it; one column, for one repetition."""
        path = Path(record_file)
        return path.with_name(path.stem.removesuffix("_001") + "_time.txt")

    def headline(self, performance: dict[str, Any], tracker: str) -> dict[str, float]:
        """The numbers of the toolkit's report that people quote."""
        overall = performance[tracker]["overall"]
        return {"AO": overall["ao"], "SR0.5": overall["sr"], "frames/s": overall["speed_fps"]}


def _text(rows: Array, number: str) -> str:
    buffer = io.StringIO()
    np.savetxt(buffer, rows, fmt=number, delimiter=",")
    return buffer.getvalue()


def _duration(seconds: float) -> str:
    seconds = math.ceil(seconds)
    hours, minutes = divmod(seconds // 60, 60)
    return (
        f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min {seconds % 60} s"
        if minutes
        else f"{seconds} s"
    )

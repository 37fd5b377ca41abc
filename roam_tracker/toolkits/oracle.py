"""Trackers that learn from true boxes, which they find beside the images: the paper's oracle variants."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import check_box, overlap
from roam_tracker.datasets.frames import frames_in
from roam_tracker.datasets.layouts import truth_files
from roam_tracker.datasets.names import otb_name
from roam_tracker.datasets.text import read_boxes
from roam_tracker.datasets.truth import annotated_frames, check_count
from roam_tracker.errors import DataError
from roam_tracker.recording import Recorder

Box = NDArray[np.float64]
Truth = dict[Path, Box]  # image file -> true box x, y, w, h in px, NaN where the target is absent


class OracleTracker:
    """A RoamTracker with an oracle preset, told the true box that is annotated beside each image."""

    score = 0.0
    recording: Recorder | None = None

    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker
        self.truth: Truth = {}

    def init(self, image: Any, box: Any) -> None:
        """Start on a box (4,) x, y, w, h in px; the image is a file's path or a PIL image that knows it."""
        self.truth = find_truth(image_file(image), check_box(box))
        self.tracker.recording = self.recording
        self.tracker.init(image, box)
        self.score = self.tracker.score

    def update(self, image: Any) -> Box:
        """The predicted box (4,) in the next image."""
        file = image_file(image)
        if file not in self.truth:
            raise DataError(f"{file} has no true box beside those of the first image, which an oracle needs.")
        box: Box = self.tracker.update(image, truth=self.truth[file])
        self.score = self.tracker.score
        return box


def image_file(image: Any) -> Path:
    """The file of an image; raises DataError for one that does not know it."""
    name = image if isinstance(image, (str, os.PathLike)) else getattr(image, "filename", "")
    if not name:
        raise DataError("An oracle finds the true box beside the image's file; give it paths, not pixels.")
    return Path(name)


def find_truth(file: Path, box: Box) -> Truth:
    """The true boxes of all images of a folder, from `groundtruth*.txt` there or one folder up.

    Where several targets are annotated, it is the one nearest to `box` in the image `file`. Raises
    DataError when there is no annotation, or it does not have one row for each image.
    """
    folder = file.parent
    for place in (folder, folder.parent):
        found = truth_files(place)
        if found:
            targets = [_read_truth(path, folder) for path in found]
            if any(file not in truth for truth in targets):
                raise DataError(f"{found[0]} annotates other images than {file}, so an oracle cannot start.")
            return max(targets, key=lambda truth: float(overlap(truth[file], box)))
    raise DataError(
        f"No groundtruth*.txt lies beside {file} or one folder up, so an oracle has no true boxes. "
        "Run it on annotated sequences."
    )


def _read_truth(path: Path, folder: Path) -> Truth:
    rows = read_boxes(path, polygons=True)
    images = annotated_frames(otb_name(folder.parent.name), frames_in(folder), len(rows))
    check_count(path, len(rows), images)
    return dict(zip(images, rows, strict=True))

"""What the servers of GOT-10k and TrackingNet take: a ZIP file of the raw results, checked before."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.errors import ResultError
from roam_tracker.files import write_atomic

_STAMP = (1980, 1, 1, 0, 0, 0)  # the same results give the same archive


def write_archive(archive: Path, root: Path, files: list[Path], dataset: Any) -> None:
    """Write the files into an archive under their names relative to `root`; print where, and what it lacks.

    Raises ResultError for a file that is absent or has a row that no server takes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for file in sorted(files):
            _check(file)
            bundle.writestr(zipfile.ZipInfo(str(file.relative_to(root)), _STAMP), file.read_bytes())
    write_atomic(archive, buffer.getvalue())
    print(f"Submission archive: {archive}", flush=True)
    lacking = dataset.total - len(dataset.seq_names)
    if lacking:
        print(f"It lacks {lacking} of {dataset.total} sequences, so the server refuses it or counts misses.")


def _check(file: Path) -> None:
    if not file.is_file():
        raise ResultError(
            f"{file} is missing, so there is nothing to submit. Run the tracker on this sequence."
        )
    rows = np.loadtxt(file, delimiter=",", ndmin=2)
    if file.name.endswith("_time.txt"):
        wrong = ~(rows > 0).all(axis=1)
    else:
        wrong = ~np.isfinite(rows).all(axis=1) | (rows[:, 2:] <= 0).any(axis=1)
    if wrong.any():
        number = int(np.flatnonzero(wrong)[0]) + 1
        raise ResultError(
            f"{file}, line {number}: {rows[number - 1].tolist()} is refused by the server, which wants "
            "finite boxes with an area and positive times. Delete the file and run again."
        )

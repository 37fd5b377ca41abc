"""The sample sequences on disk, in the layouts of OTB, GOT-10k and VOT at once.

    OUT/OTB/<seq>/img/0001.jpg               groundtruth_rect.txt
    OUT/GOT-10k/val/<seq>/00000001.jpg       groundtruth.txt, three .label files, meta_info.ini
    OUT/VOT/<seq>/color/00000001.jpg         groundtruth.txt, sequence

Each frame is encoded once and linked into the other two. The folder appears complete or not at all.
"""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from roam_tracker.errors import ConfigError, RunError
from roam_tracker.sample.render import KINDS, Sample, render

_STAMP = "sample.json"
_FORMAT = 1  # raised when the same settings draw other pixels
_QUALITY = 92


def sample_names(sequences: int) -> dict[str, tuple[str, int]]:
    """Folder name -> (kind, offset to the seed); from the second round on with a number: motion2."""
    kinds = list(KINDS)
    names = {}
    for index in range(sequences):
        turn, kind = index // len(kinds), kinds[index % len(kinds)]
        names[kind if turn == 0 else f"{kind}{turn + 1}"] = (kind, 1000 * turn)
    return names


def write_sample(
    out: str | os.PathLike[str],
    seed: int = 0,
    frames: int = 60,
    sequences: int = 6,
    size: tuple[int, int] = (320, 240),
    progress: Callable[[str], None] = lambda line: None,
) -> bool:
    """Write the sample into `out`; False if exactly this sample is there already.

    frames a sequence, size (width, height) in px. Raises ConfigError when `out` holds something else.
    """
    if sequences < 1:
        raise ConfigError(f"A sample needs at least one sequence, got {sequences}.")
    out = Path(out)
    settings = {"format": _FORMAT, "seed": seed, "frames": frames, "sequences": sequences, "size": list(size)}
    if _is_there(out, settings):
        return False
    with _writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        names = sample_names(sequences)
        for number, (name, (kind, offset)) in enumerate(names.items(), start=1):
            with _writing(out):
                _write_sequence(building, name, render(kind, frames, seed + offset, size))
            progress(f"[{number}/{sequences}] {name}: {KINDS[kind]}")
        with _writing(out):
            (building / "GOT-10k/val/list.txt").write_text("".join(f"{name}\n" for name in names))
            (building / "VOT/list.txt").write_text("".join(f"{name}\n" for name in names))
            (building / _STAMP).write_text(json.dumps(settings) + "\n")
            building.chmod(0o755)
            building.replace(out)  # an empty folder in its place is replaced too
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return True


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Turns what the disk refuses into an error that names the folder."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{out} could not be written: {error.strerror}. Choose another folder.") from error


def _is_there(out: Path, settings: dict[str, object]) -> bool:
    if not out.exists():
        return False
    if not out.is_dir():
        raise ConfigError(f"{out} is a file. Name a folder for the sample sequences.")
    try:
        found = json.loads((out / _STAMP).read_text())
    except (OSError, ValueError):
        found = None
    if found == settings:
        return True
    if any(out.iterdir()):
        what = f"a sample with other settings, {json.dumps(found)}" if found else "other files"
        raise ConfigError(f"{out} holds {what}. Delete it or choose another folder.")
    return False


def _write_sequence(root: Path, name: str, sample: Sample) -> None:
    otb, got, vot = root / "OTB" / name, root / "GOT-10k/val" / name, root / "VOT" / name
    for folder in (otb / "img", got, vot / "color"):
        folder.mkdir(parents=True)
    for number, frame in enumerate(sample.frames, start=1):
        first = otb / "img" / f"{number:04d}.jpg"
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=_QUALITY)
        first.write_bytes(buffer.getvalue())
        for other in (got / f"{number:08d}.jpg", vot / "color" / f"{number:08d}.jpg"):
            _link(first, other)
    lines = "".join(",".join(f"{value:.3f}" for value in box) + "\n" for box in sample.boxes)
    (otb / "groundtruth_rect.txt").write_text(lines)
    count, height, width = sample.frames.shape[:3]
    # visible share in eighths, rounded up so that only a fully hidden target counts as absent
    cover = np.ceil(8 * sample.visible).astype(int)
    _write_got10k(got, lines, cover, (width, height))
    (vot / "groundtruth.txt").write_text(lines)
    (vot / "sequence").write_text(
        f"name={name}\nfps=30\nformat=default\nchannel.default=color\nchannels.color=color/%08d.jpg\n"
        f"width={width}\nheight={height}\nlength={count}\n"
    )


def _write_got10k(folder: Path, boxes: str, cover: np.ndarray, size: tuple[int, int]) -> None:
    (folder / "groundtruth.txt").write_text(boxes)
    (folder / "cover.label").write_text("".join(f"{value}\n" for value in cover))
    (folder / "absence.label").write_text("".join(f"{int(value == 0)}\n" for value in cover))
    (folder / "cut_by_image.label").write_text("0\n" * len(cover))
    (folder / "meta_info.ini").write_text(f"[METAINFO]\nresolution: {size}\nanno_fps: 30Hz\n")


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)

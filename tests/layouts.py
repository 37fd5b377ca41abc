"""Tiny copies of every benchmark in its own layout, made of the same pictures and boxes."""

import json
import shutil
from pathlib import Path

import got10k.datasets
import numpy as np
from PIL import Image

SIZE = (96, 72)


def truth(frames, seed=0):
    """Boxes (N, 4) with an area, well inside the picture."""
    generator = np.random.default_rng(seed)
    return np.column_stack(
        [generator.uniform(5, 40, (frames, 2)), generator.uniform(8, 24, (frames, 2))]
    ).round(2)


def images(folder, frames, name="{:04d}.jpg", first=1):
    """Pictures with some colour, named by their number."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
    source = folder / name.format(first)
    picture.save(source, quality=80)
    for number in range(first + 1, first + frames):
        shutil.copyfile(source, folder / name.format(number))


def rows(boxes, separator=",", end="\n"):
    return "".join(
        separator.join("NaN" if np.isnan(value) else f"{value:g}" for value in box) + end for box in boxes
    )


def otb(root, names=("Deer", "Jumping"), frames=12, separators=(",", "\t")):
    """OTB, with the separators that its files have."""
    for index, name in enumerate(names):
        images(root / name / "img", frames)
        text = rows(truth(frames, index), separators[index % len(separators)])
        (root / name / "groundtruth_rect.txt").write_text(text)


def got10k_set(root, subset="val", names=("GOT-10k_Val_000001", "GOT-10k_Val_000002"), frames=12):
    for index, name in enumerate(names):
        folder = root / subset / name
        images(folder, frames, "{:08d}.jpg")
        boxes = truth(frames, index)
        (folder / "groundtruth.txt").write_text(rows(boxes[:1] if subset == "test" else boxes))
        if subset == "val":
            cover = np.arange(frames) % 5
            (folder / "cover.label").write_text("".join(f"{value}\n" for value in cover))
            (folder / "absence.label").write_text("".join(f"{int(value == 0)}\n" for value in cover))
            (folder / "cut_by_image.label").write_text("0\n" * frames)
            (folder / "meta_info.ini").write_text(f"[METAINFO]\nresolution: {SIZE}\nanno_fps: 10Hz\n")
    (root / subset / "list.txt").write_text("".join(f"{name}\n" for name in names))


def uav(root, version="UAV123", names=("uav6", "car1_s")):
    """Frames and folders as the toolkit knows them; some rows are NaN."""
    known = json.loads(Path(got10k.datasets.__file__).with_name("uav123.json").read_text())[version]
    (root / "anno" / version).mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        frames = known[name]["end_frame"] - known[name]["start_frame"] + 1
        folder = root / "data_seq/UAV123" / known[name]["folder_name"]
        images(folder, frames, "{:06d}.jpg", known[name]["start_frame"])
        boxes = truth(frames, index)
        boxes[5:9] = np.nan
        (root / "anno" / version / f"{name}.txt").write_text(rows(boxes))


def nfs(root, fps, names=("airboard_1", "bunny")):
    """At 30 frames a second the annotation has eight rows for an image."""
    for index, name in enumerate(names):
        frames = 10
        images(root / name / str(fps) / name, frames, "{:05d}.jpg")
        boxes = truth(frames * (8 if fps == 30 else 1), index)
        lines = [
            f'0 {x:g} {y:g} {x + w:g} {y + h:g} {number} 0 0 0 "target"\n'
            for number, (x, y, w, h) in enumerate(boxes, 1)
        ]
        (root / name / str(fps) / f"{name}.txt").write_text("".join(lines))


def dtb70(root, names=("Animal1", "BMX2")):
    otb(root, names, separators=(",",))


def tcolor128(root, names=("Airport_ce", "Ball_ce2")):
    """The frames file begins at another one than the first."""
    for index, name in enumerate(names):
        images(root / name / "img", 15)
        (root / name / f"{name}_frames.txt").write_text("3,12\n")
        (root / name / f"{name}_gt.txt").write_text(rows(truth(10, index)))


def lasot(root, names=("airplane-1", "zebra-10"), frames=14, flat=False):
    """By class; some frames out of view, some fully occluded, absent ones with a box of zeros."""
    for index, name in enumerate(names):
        folder = root / name if flat else root / name.rpartition("-")[0] / name
        images(folder / "img", frames, "{:08d}.jpg")
        boxes, occluded, outside = truth(frames, index), np.zeros(frames, int), np.zeros(frames, int)
        occluded[4:6], outside[6:8] = 1, 1
        boxes[7] = 0
        (folder / "groundtruth.txt").write_text(rows(boxes))
        (folder / "full_occlusion.txt").write_text(",".join(map(str, occluded)) + "\n")
        (folder / "out_of_view.txt").write_text(",".join(map(str, outside)) + "\n")
        (folder / "nlp.txt").write_text("a target\n")


def trackingnet(root, names=("0-6LB4FqxoE_0", "zlMG6HhAm6E_0"), frames=12, hidden=True):
    """Frames count from 0 without leading zeros, so that their names sort in another order."""
    (root / "TEST/anno").mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        images(root / "TEST/frames" / name, frames, "{}.jpg", first=0)
        boxes = truth(frames, index)
        (root / "TEST/anno" / f"{name}.txt").write_text(rows(boxes[:1] if hidden else boxes))

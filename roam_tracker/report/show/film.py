"""Film strips: frames of a sequence with the boxes of several trackers and the truth.

    films, notes = find_films(loaded, "data/OTB")
    film_strip(films["Deer"], trackers=["ROAM", "SGD"]).savefig("deer.pdf")

Images are opened with PIL, only when a strip is drawn.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets.frames import first_with_frames
from roam_tracker.datasets.lists import OTB_RANGES
from roam_tracker.errors import DataError, ImageError
from roam_tracker.images import levels_of, size_of, to_rgb
from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.read.vot import Region
from roam_tracker.report.runs import ONE_PASS, LoadedBoxes, LoadedVot, grouped
from roam_tracker.report.show.plots import Style, drawable, new_figure, tracker_styles

Outline = NDArray[np.float64] | None  # (points, 2) x, y in pixels; None = nothing there


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A few frames of one sequence.

    frames:   their numbers, from 0; images: their files
    truth:    an outline a frame; trackers: an outline a frame for each tracker that has a result
    """

    sequence: str
    frames: tuple[int, ...]
    images: tuple[Path, ...]
    truth: tuple[Outline, ...]
    trackers: Mapping[str, tuple[Outline, ...]]


def find_films(
    loaded: LoadedBoxes | LoadedVot, root: str | Path, *, count: int = 6
) -> tuple[dict[str, Film], list[str]]:
    """Films of the sequences that have images under `root`, and sentences on those whose images do not fit.

    root:  the data set's folder, laid out as in its download
    count: frames a film, at equal distances from the first to the last
    The keys are those of `Evaluation.overlaps`; of VOT's experiments the baseline counts, or the first one.
    Raises DataError when there is no image of any sequence.
    """
    root = Path(root)
    root = root / "val" if (root / "val" / "list.txt").is_file() else root
    films, notes = {}, []
    experiments = {run.experiment for run in loaded.runs}
    main = next((name for name in (ONE_PASS, "baseline") if name in experiments), min(experiments))
    by_sequence = grouped((run for run in loaded.runs if run.experiment == main), attrgetter("sequence"))
    for sequence, truth in loaded.truths.items():
        # the first repetition of each tracker
        runs = {run.tracker: run for run in reversed(by_sequence.get(sequence, []))}
        outlines = _outlines(truth)
        images = _images(root, sequence, loaded.benchmark, len(outlines)) if runs else []
        if not images:
            continue
        if len(images) != len(outlines):
            notes.append(
                f"No film of {sequence}: {images[0].parent} has {len(images)} images, the ground truth"
                f" {len(outlines)} frames."
            )
            continue
        frames = tuple(dict.fromkeys(np.linspace(0, len(outlines) - 1, count).round().astype(int).tolist()))
        by_tracker = {tracker: _outlines(run) for tracker, run in runs.items()}
        films[sequence if main == ONE_PASS else f"{main}/{sequence}"] = Film(
            sequence,
            frames,
            tuple(images[frame] for frame in frames),
            tuple(outlines[frame] for frame in frames),
            {tracker: tuple(drawn[frame] for frame in frames) for tracker, drawn in by_tracker.items()},
        )
    if not films and not notes:
        raise DataError(
            f"{root} has no images of {loaded.benchmark.name}. Give the folder that holds <sequence>/*.jpg."
        )
    return films, notes


def film_strip(
    film: Film,
    styles: Mapping[str, Style] | None = None,
    trackers: Iterable[str] | None = None,
    *,
    width: float = 10.0,
) -> Figure:
    """A row of frames with the outlines of the truth (white) and the trackers, a legend below.

    trackers: which and in what order; None = all that have a result. width: of the figure in inches.
    """
    names = [name for name in (film.trackers if trackers is None else trackers) if name in film.trackers]
    styles = styles or tracker_styles(film.trackers)
    levels = levels_of(film.images[0])
    pictures = [to_rgb(path, levels) for path in film.images]
    rows = width / sum(picture.shape[1] / picture.shape[0] for picture in pictures)
    figure = new_figure(width, rows + 0.35)
    axes = figure.subplots(
        1, len(pictures), width_ratios=[image.shape[1] / image.shape[0] for image in pictures]
    )
    for index, ax in enumerate(np.atleast_1d(axes)):
        draw_frame(
            ax, pictures[index], film.truth[index], {n: film.trackers[n][index] for n in names}, styles
        )
        ax.text(
            0.02,
            0.97,
            f"#{film.frames[index] + 1}",
            transform=ax.transAxes,
            va="top",
            color="yellow",
            fontsize=9,
            fontweight="bold",
            path_effects=[effects.withStroke(linewidth=2, foreground="black")],
        )
    handles = [Line2D([], [], color="white", linewidth=2.2, path_effects=_casing(2.2), label="truth")]
    handles += [
        Line2D(
            [], [], color=styles[name].colour, linestyle=styles[name].dash, linewidth=2, label=drawable(name)
        )
        for name in names
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles) if len(handles) < 8 else 6,
        fontsize=8,
        frameon=False,
        handlelength=3,
    )
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.01)
    return figure


def draw_frame(
    ax: Axes,
    picture: NDArray[np.uint8],
    truth: Outline,
    trackers: Mapping[str, Outline],
    styles: Mapping[str, Style],
) -> Axes:
    """One image (rows, columns, 3) with outlines in its pixels; a dark casing keeps them visible."""
    ax.imshow(picture, extent=(0, picture.shape[1], picture.shape[0], 0))
    looks: list[tuple[Outline, str, Any, float]] = [(truth, "white", "-", 1.8)]
    looks += [(outline, styles[name].colour, styles[name].dash, 1.4) for name, outline in trackers.items()]
    for outline, colour, dash, width in looks:
        if outline is not None:
            ax.add_patch(
                Polygon(
                    outline,
                    fill=False,
                    edgecolor=colour,
                    linestyle=dash,
                    linewidth=width,
                    path_effects=_casing(width),
                )
            )
    ax.set(xlim=(0, picture.shape[1]), ylim=(picture.shape[0], 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def thumbnails(film: Film, *, height: int, quality: int = 68) -> list[tuple[bytes, int, float]]:
    """Each frame as a small JPEG, its width in pixels, and thumbnail pixels per image pixel."""
    from PIL import Image

    small = []
    levels = levels_of(film.images[0])
    for path in film.images:
        try:
            with Image.open(path) as image:
                sides, buffer = size_of(path), io.BytesIO()
                scale = height / sides[1]
                width = max(1, round(sides[0] * scale))
                image.draft("RGB", (width, height))  # a JPEG is decoded no larger than needed
                picture = Image.fromarray(to_rgb(image, levels))
                picture.resize((width, height)).save(buffer, "JPEG", quality=quality, optimize=True)
        except OSError as fault:
            raise ImageError(f"{path} cannot be read as an image: {fault}. Restore it.") from fault
        small.append((buffer.getvalue(), width, scale))
    return small


def _images(root: Path, sequence: str, benchmark: Benchmark, frames: int) -> list[Path]:
    """The images of a sequence in order, limited to its annotated range; Jogging.1 lies in Jogging."""
    stem, mark, target = sequence.rpartition(".")
    video = stem if mark and target.isdigit() else sequence
    places = {
        "uav": [f"data_seq/{benchmark.name}/{sequence}"],
        "nfs": [f"{sequence}/{benchmark.name.removeprefix('NfS')}/{sequence}"],
        "lasot": [f"{sequence}/img", f"{sequence.rpartition('-')[0]}/{sequence}/img"],
        "trackingnet": [f"TEST/frames/{sequence}", f"frames/{sequence}"],
    }.get(benchmark.layout, [f"{video}/img", f"{video}/color", video])
    images = first_with_frames(root / place for place in places)
    ranges = OTB_RANGES if benchmark.layout == "otb" else {}
    first, last = ranges.get(sequence, (1, len(images)))
    return list(images[first - 1 : last] if len(images) > frames else images)


def _outlines(source: Any) -> Sequence[Outline]:
    """The outline of each frame of a truth or a run, of boxes (N, 4) or of regions."""
    if hasattr(source, "regions"):
        return [_region_outline(region) for region in source.regions]
    return [_box_outline(box) for box in source.boxes]


def _region_outline(region: Region) -> Outline:
    if region is None:
        return None
    return region.astype(np.float64) if region.ndim == 2 else _box_outline(region.astype(np.float64))


def _box_outline(box: Boxes) -> Outline:
    x, y, w, h = box
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) if np.isfinite(box).all() else None


def _casing(width: float) -> list[Any]:
    return [effects.Stroke(linewidth=width + 1.2, foreground="black", alpha=0.7), effects.Normal()]

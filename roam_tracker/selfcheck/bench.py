"""What a frame costs, measured in one run: its parts, and the floor, which is the backbone alone.

`measure` follows a target through images in memory and takes the time of each part of each frame. The floor
is the time of the same number of backbone forwards on patches of the same shapes and in the same format, in
the same process, right after; `ratio` is what everything else makes of it. On CUDA, where a frame is two
graphs that cannot be looked into, the parts are those of a second run that launches kernel by kernel.
"""

import resource
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roam_tracker.core import backbone, tracking
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.fast.graphs import Graphs
from roam_tracker.core.fast.many import Batch
from roam_tracker.errors import ConfigError, WeightsError
from roam_tracker.tracker import RoamTracker
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.parameters import model_weights, new_parameters
from roam_tracker.weights import load_weights
from roam_tracker.weights.backbones import load_backbone, random_backbone

PARTS = ("transfer", "crop", "backbone", "response", "update", "other")


class Follows(Protocol):
    """Any tracker with `init(image, box)` and `update(image)`."""

    def init(self, image: Any, box: Any) -> Any:
        """Start on a box x, y, w, h in px; the image is (H, W, 3) uint8 RGB."""

    def update(self, image: Any) -> Any:
        """Follow the target into the next image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds of a frame without decoding; `fps` is frames over their total time.

    median_ms, p95_ms: of all frames; updating_ms: median of those that learn, ordinary_ms: of the others
    split_ms: mean of each of PARTS; floor_ms: mean of the forwards alone; ratio: frame_ms / floor_ms
    peak_mib: most memory the process (on CUDA: the device) had since it began
    """

    tracker: str
    frames: int
    fps: float
    frame_ms: float
    median_ms: float
    p95_ms: float
    first_ms: float
    ordinary_ms: float | None = None
    updating_ms: float | None = None
    split_ms: dict[str, float] | None = None
    forwards: float | None = None
    floor_ms: float | None = None
    ratio: float | None = None
    peak_mib: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure(
    tracker: RoamTracker, images: Sequence[NDArray[np.uint8]], box: Any, *, warm_up: int = 20, name: str = ""
) -> Measured:
    """The cost of a frame with its parts and its floor.

    images: (H, W, 3) uint8 RGB; box: x, y, w, h in px in the first; the first `warm_up` updates do not count.
    Raises ConfigError for a sequence that is over before the clock starts.
    """
    clock = _Clock(tracker.device)
    if tracker.device.type == "cuda":
        first, times = _follow(tracker, images, box, warm_up, None)
        single, tracker._single = tracker._single, None  # what runs the graphs
        with clock.watching(tracker):
            _, watched = _follow(tracker, images, box, warm_up, clock)
        tracker._single = single
    else:
        with clock.watching(tracker):
            first, times = _follow(tracker, images, box, warm_up, clock)
        watched = times
    with tracker.own_threads():
        floor = _floor(tracker, clock.shapes[warm_up:]) / len(times)
    parts = {
        part: 1e3 * sum(frame[part] for frame in clock.frames[warm_up:]) / len(times) for part in PARTS[:-1]
    }
    frame_ms = 1e3 * sum(times) / len(times)
    parts["other"] = 1e3 * sum(watched) / len(times) - sum(parts.values())
    learns = [frame["update"] > 0 for frame in clock.frames[warm_up:]]
    kinds = {
        kind: [1e3 * seconds for seconds, learned in zip(times, learns, strict=True) if learned == kind]
        for kind in (False, True)
    }
    return Measured(
        **_summary(name or "ROAM", times, first),
        ordinary_ms=statistics.median(kinds[False]) if kinds[False] else None,
        updating_ms=statistics.median(kinds[True]) if kinds[True] else None,
        split_ms=parts,
        forwards=sum(map(len, clock.shapes[warm_up:])) / len(times),
        floor_ms=1e3 * floor,
        ratio=frame_ms / (1e3 * floor),
        peak_mib=_peak_mib(tracker.device),
    )


def measure_other(
    tracker: Follows, images: Sequence[NDArray[np.uint8]], box: Any, *, warm_up: int = 20, name: str = "other"
) -> Measured:
    """The cost of a frame of any tracker, on the same terms."""
    first, times = _follow(tracker, images, box, warm_up, None)
    return Measured(**_summary(name, times, first))


def measure_batch(
    tracker: RoamTracker, images: Sequence[NDArray[np.uint8]], box: Any, slots: int, *, warm_up: int = 20
) -> Measured:
    """The cost of a frame where so many targets are followed at once: the time of all over their number.

    The targets are one and the same, each followed by itself; `fps` is frames of all of them a second.
    """
    _enough(images, warm_up)
    frames = [torch.from_numpy(image) for image in images]
    x, y, w, h = (float(value) for value in box)
    with tracker.own_threads():
        began = time.perf_counter()
        batch = Batch(tracker.model, slots)
        for slot in range(slots):
            batch.start(slot, frames[0], (x, y, w, h))
        first, times = (time.perf_counter() - began) / slots, []
        for frame in frames[1:]:
            began = time.perf_counter()
            batch.step([frame] * slots)
            times.append((time.perf_counter() - began) / slots)
    name = f"{slots} at once"
    return Measured(**_summary(name, times[warm_up:], first), peak_mib=_peak_mib(tracker.device))


def plain(tracker: RoamTracker) -> RoamTracker:
    """The same tracker on the reference engine."""
    return RoamTracker(
        tracker.config,
        str(tracker.device),
        weights=tracker.model.weights,
        plain=True,
        threads=tracker.threads,
    )


def random_weights(config: TrackerConfig) -> dict[str, Tensor]:
    """Weights of the right shapes for a preset that has none; the backbone is the real one if it is there.

    Frames cost what they cost with real weights; the boxes mean nothing.
    """
    generator = torch.Generator().manual_seed(0)
    spec, training = backbone.backbone_spec(config.model.backbone), TrainingConfig()
    weights = {
        name: tensor.detach()
        for name, tensor in model_weights(
            config, training, new_parameters(config, training, generator)
        ).items()
    }
    if not spec.apart:
        eye = torch.eye(spec.channels)[:, :, None, None]  # of the layer that training adds
        added = {"whiten.weight": eye, "whiten.bias": torch.zeros(spec.channels)}
        return weights | added | load_weights(config.model.backbone)
    try:
        return weights | load_backbone(config.model.backbone)
    except WeightsError:
        return weights | random_backbone(config.model.backbone, generator)


def _follow(
    tracker: Follows, images: Sequence[Any], box: Any, warm_up: int, clock: "_Clock | None"
) -> tuple[float, list[float]]:
    """Seconds of the start and of each update after the warm-up."""
    _enough(images, warm_up)
    began = time.perf_counter()
    tracker.init(images[0], box)
    first, times = time.perf_counter() - began, []
    for image in images[1:]:
        if clock is not None:
            clock.next_frame()
        began = time.perf_counter()
        tracker.update(image)
        times.append(time.perf_counter() - began)
    return first, times[warm_up:]


def _enough(images: Sequence[Any], warm_up: int) -> None:
    if len(images) < warm_up + 2:
        raise ConfigError(
            f"{len(images)} frames are too few to measure after a warm-up of {warm_up}. Give more frames."
        )


def _summary(name: str, times: Sequence[float], first: float) -> dict[str, Any]:
    table = 1e3 * np.array(times)
    return {
        "tracker": name,
        "frames": len(times),
        "fps": len(times) / sum(times),
        "frame_ms": float(table.mean()),
        "median_ms": float(np.median(table)),
        "p95_ms": float(np.percentile(table, 95)),
        "first_ms": 1e3 * first,
    }


def _floor(tracker: RoamTracker, shapes: Sequence[Sequence[tuple[int, ...]]]) -> float:
    """Seconds of the backbone's forwards alone: of each shape the median of ten, times how often it came."""
    model, total = tracker.model, 0.0
    for shape, count in Counter(shape for frame in shapes for shape in frame).items():
        patches = torch.randn(shape, device=tracker.device).to(memory_format=torch.channels_last)

        def forward(patches: Tensor = patches) -> None:
            with torch.no_grad():
                model.engine.extract(model.spec, model.backbone, patches)

        graphs, runs = Graphs(tracker.device, {}), []  # on CUDA the floor is a graph too
        for _ in range(8 if model.spec.apart else 32):
            _wait(tracker.device)
            began = time.perf_counter()
            graphs.run("forward", forward)
            _wait(tracker.device)
            runs.append(time.perf_counter() - began)
        total += count * statistics.median(runs[2:])
    return total


class _Clock:
    """Seconds spent in each part of each frame; a part within a part counts for the outer one."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.frames: list[dict[str, float]] = []
        self.shapes: list[list[tuple[int, ...]]] = []
        self._running = False

    def next_frame(self) -> None:
        self.frames.append(defaultdict(float))
        self.shapes.append([])

    @contextmanager
    def watching(self, tracker: RoamTracker) -> Iterator[None]:
        """Wrap functions in the places where the tracker looks them up, and put them back."""
        engine = tracker.model.engine
        places: list[tuple[Any, str, str]] = [
            (engine, "crop", "crop"),
            (engine, "extract", "backbone"),
            (engine, "transform", "response"),
            (engine, "respond", "response"),
            (tracking, "update", "update"),
            (tracker, "_frame", "transfer"),
        ]
        before = [getattr(place, name) for place, name, _ in places]
        for (place, name, part), function in zip(places, before, strict=True):
            setattr(place, name, self._timed(part, function))
        try:
            yield
        finally:
            for (place, name, _), function in zip(places, before, strict=True):
                setattr(place, name, function)

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._running or not self.frames:
                return function(*args, **kwargs)
            if part == "backbone":
                self.shapes[-1].append(tuple(args[2].shape))
            _wait(self.device)
            self._running, began = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                _wait(self.device)
                self._running = False
                self.frames[-1][part] += time.perf_counter() - began

        return call


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

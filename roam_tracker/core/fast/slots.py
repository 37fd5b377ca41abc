"""The state of B targets in tensors: what `many.py` works on, and the way from and to a `State`."""

from collections import OrderedDict
from dataclasses import replace

import torch
from torch import Tensor

from roam_tracker.core import box_head
from roam_tracker.core.fast import fourier
from roam_tracker.core.fast.graphs import Graphs
from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.state import Sample, State
from roam_tracker.core.theta import ThetaShape
from roam_tracker.core.tracking import Model

_KEPT_SETS = 6  # of tensors with their graphs: as many sizes of filters and frames are met without capturing


class Slots:
    """B places for targets.

    Filters of different sizes lie in one frame of zeros, the smallest that holds them all; a mask, `inside`,
    keeps what is outside a target's own filter at zero. Samples lie in a ring of `update.memory_frames`
    places and one more, where those go that are not kept.
    """

    def __init__(self, model: Model, count: int, canvas: bool) -> None:
        self.model, self.count, self.canvas = model, count, canvas
        self.started: list[State | None] = [None] * count  # targets as they came; `read`: as they are
        self.frames = [0] * count
        self.shape = replace(model.canonical, height=1, width=1)  # of the common frame
        self._sets: OrderedDict[tuple[int, ...], tuple[dict[str, Tensor], Graphs]] = OrderedDict()
        self.tensors, self.graphs = self._set(self.shape, 1, 1)

    @property
    def layers(self) -> int:
        """The number of the optimizer's recurrent layers."""
        return sum(name.startswith("hidden") for name in self.tensors)

    @property
    def numbers(self) -> Tensor:
        """(B,) int64: 0 .. B-1."""
        return torch.arange(self.count, device=self.model.device)

    def read(self, slot: int) -> State:
        """The target of a slot as `tracking.step` has it, on the model's device."""
        start, t = self.started[slot], self.tensors
        assert start is not None, f"slot {slot} has no target"
        inside, kept = self._inside(start.shape), int(t["kept"][slot])
        centres, sizes = t["sample_centres"][slot].tolist(), t["sample_sizes"][slot].tolist()
        memory = self.model.config.update.memory_frames
        frames = t["sample_frames"][slot].tolist()
        samples = (
            Sample(
                t["sample_features"][slot, k].clone(),
                tuple(centres[k]),
                tuple(sizes[k]),
                frame=frames[k],
            )
            for k in (k % memory for k in range(max(0, kept - memory), kept))
        )
        layers = range(len(start.optimizer.hidden))
        optimizer = OptimizerState(
            t["rates"][slot, inside],
            start.optimizer.groups,
            tuple(t[f"hidden{k}"][:, slot, inside].t() for k in layers),
            tuple(t[f"cell{k}"][:, slot, inside].t() for k in layers),
        )
        x, y, w, h = (*t["centre"][slot].tolist(), *t["size"][slot].tolist())
        return replace(
            start,
            centre_px=(x, y),
            size_px=(w, h),
            frames=self.frames[slot],
            theta=t["theta"][slot, inside],
            optimizer=optimizer,
            memory=tuple(samples),
            rejected_steps=int(t["rejected"][slot]),
            kept=None,
        )

    def make_room(self, shape: ThetaShape, height: int, width: int) -> None:
        """Tensors in which such filters and frames have room beside those of the targets that are there."""
        there = [state for state in self.started if state is not None]
        if there or self.count > 1:  # one target alone gets what fits
            canvas = self.tensors["canvas"]
            height, width = max(height, canvas.shape[1]), max(width, canvas.shape[2])
            rows, columns = max(shape.height, self.shape.height), max(shape.width, self.shape.width)
            shape = replace(shape, height=rows, width=columns)
        if (shape, [height, width]) == (self.shape, list(self.tensors["canvas"].shape[1:3])):
            return
        now = [None if state is None else self.read(slot) for slot, state in enumerate(self.started)]
        extents, seen = self.tensors["extents"], self.tensors["seen"]
        self.shape = shape
        self.tensors, self.graphs = self._set(shape, height, width)
        self.tensors["extents"].copy_(extents)
        self.tensors["seen"].copy_(seen)
        for slot, state in enumerate(now):
            if state is not None:
                self.write(slot, state)

    def _set(self, shape: ThetaShape, height: int, width: int) -> tuple[dict[str, Tensor], Graphs]:
        """Tensors for filters of that shape and frames of up to that size, with the graphs that use them."""
        key = (shape.height, shape.width, height, width)
        if key not in self._sets:
            tensors = self._blank(shape, height, width)
            self._sets[key] = tensors, Graphs(self.model.device, tensors)
        self._sets.move_to_end(key)
        while len(self._sets) > _KEPT_SETS:
            self._sets.popitem(last=False)
        return self._sets[key]

    def _blank(self, shape: ThetaShape, height: int, width: int) -> dict[str, Tensor]:
        model, slots, device = self.model, self.count, self.model.device
        config, count, places = model.config, shape.count, model.config.update.memory_frames + 1
        firsts = len(model.views) if config.update.first_share > 0 else 0
        hidden = model.learner.optimizer.init(
            torch.zeros(1), torch.zeros(1, dtype=torch.int64), torch.zeros(1)
        ).hidden

        def zeros(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(slots, *size, dtype=dtype, device=device)

        whole, double = torch.int64, torch.float64
        tensors = {
            "canvas": zeros(height, width, 3 if self.canvas else 0, dtype=torch.uint8),
            "extents": zeros(2, dtype=whole) + 1,
            "due": zeros(dtype=torch.bool),
            "seen": zeros(5, dtype=double),
            "centre": zeros(2, dtype=double),
            "size": zeros(2, dtype=double) + config.box.min_side_px,
            "first_peak": zeros(),
            "first_look": zeros(
                *((box_head.CHANNELS, box_head.SIDE, box_head.SIDE) if config.box.head else (0,))
            ),
            "kept": zeros(dtype=whole),
            "rejected": zeros(dtype=whole),
            "tracked": zeros(dtype=whole),
            "sample_features": zeros(places, model.spec.channels, model.map_size, model.map_size),
            "sample_frames": zeros(places, dtype=whole),
            "first_features": zeros(firsts, model.spec.channels, model.map_size, model.map_size),
            "first_centres": zeros(firsts, 2),
            "first_sizes": zeros(firsts, 2) + 1,
            "sample_centres": zeros(places, 2),
            "sample_sizes": zeros(places, 2) + 1,
            "theta": zeros(count),
            "inside": zeros(count, dtype=torch.bool),
            "rates": zeros(count),
            "groups": shape.groups(device).expand(slots, -1).clone(),
        }
        for k, part in enumerate(hidden):
            tensors[f"hidden{k}"] = torch.zeros(part.shape[1], slots, count, device=device)
            tensors[f"cell{k}"] = torch.zeros(part.shape[1], slots, count, device=device)
        if fourier.suits(shape):
            for name, side in (("search", model.map_size), ("pyramid", model.pyramid_map_size)):
                values = fourier.prepare(torch.zeros(count), shape, side).values
                tensors[name] = zeros(*values.shape, dtype=values.dtype)
        return tensors

    def _inside(self, shape: ThetaShape) -> Tensor:
        """(count,) bool: the coordinates of the common frame that are those of a target's own shape."""
        common = self.shape
        top, left = (common.height - shape.height) // 2, (common.width - shape.width) // 2
        inside = torch.ones(common.count, dtype=torch.bool, device=self.model.device)
        filters = common.split(inside)[2]
        filters.fill_(False)
        filters[..., top : top + shape.height, left : left + shape.width] = True
        return inside

    def write(self, slot: int, state: State) -> None:
        """Put a target into a slot; there is room for it."""
        t, inside, memory = self.tensors, self._inside(state.shape), self.model.config.update.memory_frames
        double = torch.float64
        t["centre"][slot] = torch.tensor(state.centre_px, dtype=double)
        t["size"][slot] = torch.tensor(state.size_px, dtype=double)
        t["first_peak"][slot] = state.first_peak
        if state.first_look is not None:
            t["first_look"][slot] = state.first_look[0]
        t["kept"][slot], t["rejected"][slot] = len(state.memory), state.rejected_steps
        t["tracked"][slot] = state.frames
        for k, sample in enumerate(state.memory[-memory:]):
            t["sample_frames"][slot, k] = sample.frame
        for kind, those in (("sample", state.memory[-memory:]), ("first", state.first_samples)):
            for k, sample in enumerate(those):
                t[f"{kind}_features"][slot, k] = sample.features
                t[f"{kind}_centres"][slot, k] = torch.tensor(sample.centre_cells)
                t[f"{kind}_sizes"][slot, k] = torch.tensor(sample.size_cells)
        t["inside"][slot] = inside
        for name, values in (("theta", state.theta), ("rates", state.optimizer.rates)):
            t[name][slot] = 0.0
            t[name][slot, inside] = values
        for kind, parts in (("hidden", state.optimizer.hidden), ("cell", state.optimizer.cell)):
            for k, part in enumerate(parts):
                t[f"{kind}{k}"][:, slot] = 0.0
                t[f"{kind}{k}"][:, slot, inside] = part.t()
        self.prepare()

    def prepare(self) -> None:
        """The filters in the Fourier domain, after theta has changed."""
        if fourier.suits(self.shape):
            for name, side in (("search", self.model.map_size), ("pyramid", self.model.pyramid_map_size)):
                self.tensors[name].copy_(fourier.prepare(self.tensors["theta"], self.shape, side).values)

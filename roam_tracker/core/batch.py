"""Many targets at once, each with its own theta: `tracking.step` with the state of B targets in tensors.

All that changes from frame to frame stays on the device, and decisions are made there by masks, so that a
frame costs one upload, two fixed sequences of kernels (`_locate`, and every tau frames `_update`) and one
copy of the boxes back. On CUDA both sequences are graphs. With B = 1 this is also how a single target is
followed there. `tracking.py` is the reference; tests hold the two together.

Filters of different sizes lie in one frame of zeros, the smallest that holds them all; a mask keeps what is
outside a target's own filter at zero. Samples lie in a ring of `update.memory_frames` places and one more,
where those go that are not kept.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from roam_tracker.core import backbone, fourier, response, search, tracking
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.fourier import Prepared, Spectra
from roam_tracker.core.graphs import Graphs, numbers
from roam_tracker.core.model import Model
from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.state import Box, Sample, State
from roam_tracker.core.theta import ThetaShape
from roam_tracker.errors import ConfigError

_KEPT_SETS = 6  # of tensors with their graphs: as many sizes of filters and frames are met without capturing


def refusal(config: TrackerConfig) -> str | None:
    """The setting for which targets of a preset are followed one by one only; None: there is none."""
    reasons = {
        "oracle": config.oracle,
        "model.box_branch": config.model.box_branch,
        "model.resize": config.model.resize != "start",
        "box.pyramid": config.box.pyramid != "after",
        "box.estimate": config.box.estimate != "best",
        "box.reliable_ratio": config.box.reliable_ratio > 0,
        "update.keep_first": config.update.keep_first,
        "optimizer.normalise_inputs": config.optimizer.normalise_inputs,
    }
    return next((name for name, holds in reasons.items() if holds), None)


class Batch:
    """B targets in slots 0 .. B-1. Raises ConfigError for a preset with a `refusal`.

    canvas: whether frames are copied into a tensor and cropped there by `crop_by_products`, or stay
            where they are and are cropped one by one; None: the first on CUDA only
    """

    def __init__(self, model: Model, slots: int, *, canvas: bool | None = None) -> None:
        reason = refusal(model.config)
        if reason is not None:
            raise ConfigError(f"Targets are not followed at once with this {reason}: follow them one by one.")
        self.model, self.slots = model, slots
        self.canvas = model.device.type == "cuda" if canvas is None else canvas
        self.started: list[State | None] = [None] * slots  # targets as they came; `state`: as they are
        self.frames = [0] * slots
        self.shape = replace(model.canonical, height=1, width=1)  # of the common frame
        self.pixels: list[Tensor | None] = [None] * slots  # on a CPU the frames as they are
        self._turns: dict[tuple[bool, ...], Tensor] = {}
        self._sets: OrderedDict[tuple[int, ...], tuple[dict[str, Tensor], Graphs]] = OrderedDict()
        self.tensors, self.graphs = self._set(self.shape, 1, 1)

    def start(self, slot: int, frame: Tensor, box: Box) -> None:
        """Begin a target in a slot, whatever was there; see `tracking.start`. The frame is on the CPU."""
        self.load(slot, tracking.start(self.model, frame.to(self.model.device), box), frame)

    @torch.no_grad()
    def load(self, slot: int, state: State, frame: Tensor) -> None:
        """Go on with a target in a slot; `frame` tells how large its frames are."""
        self.started[slot] = None
        self._make_room(state.shape, *frame.shape[:2])
        self.started[slot], self.frames[slot] = state, state.frames
        self._write(slot, state)

    def release(self, slot: int) -> None:
        """Forget the target of a slot, which takes None for a frame from now on."""
        self.started[slot] = None

    @torch.no_grad()
    def step(self, frames: Sequence[Tensor | None]) -> Tensor:
        """Follow every target into its next frame.

        frames:  (H, W, 3) uint8 on the CPU, one a slot; None where there is no target
        returns: (B, 5) float64 on the CPU: x, y, w, h in px and the score, as `tracking.step` has them
        """
        every, due = self.model.config.update.every_frames, []
        for slot, frame in enumerate(frames):
            if frame is not None:
                self._upload(slot, frame)
                self.frames[slot] += 1
            due.append(frame is not None and self.frames[slot] % every == 0)
        self.graphs.run("locate", self._locate)
        if any(due):
            key = tuple(due)
            if key not in self._turns:  # few ever occur where targets begin at the same point of the rhythm
                self._turns[key] = torch.tensor(due, device=self.model.device)
            self.tensors["due"].copy_(self._turns[key])
            self.graphs.run("update", self._update)
        return self.tensors["seen"].to("cpu", copy=True)

    def state(self, slot: int) -> State:
        """The target of a slot as `tracking.step` has it, on the model's device."""
        start, t = self.started[slot], self.tensors
        assert start is not None, f"slot {slot} has no target"
        inside, kept = self._inside(start.shape), int(t["kept"][slot])
        centres, sizes = t["sample_centres"][slot].tolist(), t["sample_sizes"][slot].tolist()
        memory = self.model.config.update.memory_frames
        samples = (
            Sample(t["features"][slot, k].clone(), tuple(centres[k]), tuple(sizes[k]), tuple(sizes[k]))
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
        now = replace(
            start,
            centre_px=(x, y),
            size_px=(w, h),
            frames=self.frames[slot],
            theta=t["theta"][slot, inside],
            optimizer=optimizer,
            memory=tuple(samples),
            rejected_steps=int(t["rejected"][slot]),
        )
        return tracking.prepared(self.model, now)

    # what happens in a frame

    def _locate(self) -> None:
        """The first half of `tracking.step`: where the target is, how large, and what is remembered of it."""
        t, model, config = self.tensors, self.model, self.model.config
        centre, size = t["centre"], t["size"]
        side = config.search.roi_scale * size.prod(1).sqrt()  # (B,), see Model.region_side
        features = self._features(centre, side[:, None], model.patch_px)
        maps = self._respond(t["theta"], self._seen(features), "search")[:, 0]
        score = maps.amax((1, 2))
        cells = torch.arange(model.map_size, device=model.device) - (model.map_size - 1) / 2
        px = model.patch_px / model.spec.stride  # cells of a patch
        one = torch.exp(-0.5 * (cells / (config.box.motion_sigma * px / config.search.roi_scale)) ** 2)
        peak = _peaks(maps * (one[:, None] * one[None, :]), config.box.subcell)
        found = centre + (peak - (model.map_size - 1) / 2) * (side / px)[:, None]

        scales = [1.0, *sorted(scale for scale in config.box.scales if scale != 1)]
        steps = numbers(scales, side)
        share = model.pyramid_px / model.patch_px
        crops = self._features(found, share * side[:, None] * steps, model.pyramid_px)
        best = self._respond(t["theta"], self._seen(crops), "pyramid").amax((2, 3)).argmax(1)
        grown = size * (1 + config.box.size_weight * (steps[best] - 1))[:, None]

        limits = t["extents"].to(size.dtype)  # width, height of the frames
        found = found.clamp_min(0).minimum(limits)
        grown = grown.clamp_min(config.box.min_side_px).minimum(limits)
        keep = score >= config.update.miss_ratio * t["first_peak"]
        memory = config.update.memory_frames
        slots, place = self._slots(), torch.where(keep, t["kept"] % memory, memory)
        to_cells = (px / side)[:, None]
        t["features"][slots, place] = features[:, 0]
        t["sample_centres"][slots, place] = ((model.map_size - 1) / 2 + (found - centre) * to_cells).float()
        t["sample_sizes"][slots, place] = (grown * to_cells).float()
        t["kept"] += keep
        t["seen"].copy_(torch.cat([found - grown / 2, grown, score[:, None].to(size.dtype)], dim=1))
        t["centre"].copy_(found)
        t["size"].copy_(grown)

    def _update(self) -> None:
        """`tracking.update` for the slots whose turn it is and that remember a sample."""
        t, config = self.tensors, self.model.config.update
        length = t["kept"].clamp_max(config.memory_frames)
        turn = t["due"] & (length > 0)
        if self.model.config.optimizer.reset:
            for k in range(self._layers):
                t[f"hidden{k}"].mul_(~turn[:, None])
                t[f"cell{k}"].mul_(~turn[:, None])
        newest = (length - config.samples).clamp_min(0)
        for index in range(config.steps):
            first = torch.round(newest * (index / (config.steps - 1))).long() if config.steps > 1 else newest
            chosen = first[:, None] + torch.arange(config.samples, device=length.device)
            valid = chosen < length[:, None]
            places = (t["kept"] - length)[:, None] + chosen
            self._learn(places % config.memory_frames, valid / valid.sum(1, keepdim=True).clamp_min(1), turn)
        self._prepare()

    def _learn(self, places: Tensor, shares: Tensor, turn: Tensor) -> None:
        """One guarded step of eq. (3) on samples at `places` (B, n), whose losses count by `shares`."""
        t, config, slots = self.tensors, self.model.config, self._slots()[:, None]
        centres, sizes = (t[name][slots, places].flatten(0, 1) for name in ("sample_centres", "sample_sizes"))
        labels = response.gaussian_labels(centres, sizes, self.model.map_size, config.model.label_alpha)
        seen, theta = self._seen(t["features"][slots, places]), t["theta"]

        def responses(theta: Tensor) -> Tensor:
            return self._respond(theta, seen).flatten(0, 1)

        def loss(maps: Tensor) -> Tensor:
            losses = response.sample_losses(maps, labels, config.model.loss).view_as(shares)
            return torch.where(shares > 0, losses * shares, 0.0).sum(1)

        maps = responses(theta)
        now = loss(maps)
        falls = response.slopes(maps, labels, config.model.loss) * shares.flatten()[:, None, None]
        gradient = self._gradient(theta, seen, falls.unflatten(0, shares.shape)) * t["inside"]
        before = OptimizerState(
            t["rates"].flatten(),
            t["groups"].flatten(),
            tuple(t[f"hidden{k}"].flatten(1).t() for k in range(self._layers)),
            tuple(t[f"cell{k}"].flatten(1).t() for k in range(self._layers)),
        )
        each = now[:, None].expand_as(theta).flatten()
        flat, after = self.model.optimizer.step(
            self.model.weights, before, theta.flatten(), gradient.flatten(), each
        )
        moved = torch.where(t["inside"], flat.view_as(theta), 0.0)
        # the guard of tracking.py: the first of ever shorter steps that does not raise the loss
        finite = torch.isfinite(moved).all(1)
        accepted, chosen = torch.zeros_like(finite), theta
        if config.update.guard_halvings == 0:
            accepted, chosen = finite, moved
        else:
            for halvings in range(config.update.guard_halvings + 1):
                candidate = theta + config.update.guard_factor**halvings * (moved - theta)
                lower = (loss(responses(candidate)) <= now) & finite & ~accepted
                chosen, accepted = torch.where(lower[:, None], candidate, chosen), accepted | lower
        t["rejected"] += turn & ~accepted
        accepted &= turn
        theta.copy_(torch.where(accepted[:, None], chosen, theta))
        t["rates"].copy_(torch.where(accepted[:, None], after.rates.view_as(theta), t["rates"]))
        for kind, parts in (("hidden", after.hidden), ("cell", after.cell)):
            for k, part in enumerate(parts):
                kept = t[f"{kind}{k}"]
                kept.copy_(torch.where(accepted[:, None], part.t().view_as(kept), kept))

    def _features(self, centres: Tensor, sides: Tensor, patch_px: int) -> Tensor:
        """(B, n, K, M, M) of square regions: centres (B, 2), sides (B, n), in px."""
        model, squares = self.model, sides[:, :, None].expand(-1, -1, 2)
        if self.canvas:
            canvas, extents = self.tensors["canvas"], self.tensors["extents"]
            patches = search.crop_by_products(canvas, extents, centres, squares, patch_px, model.spec)
        else:
            empty = torch.zeros(1, 1, 3, dtype=torch.uint8)
            patches = torch.stack(
                [
                    search.crop(
                        empty if frame is None else frame,
                        centre.expand(len(side), 2),
                        side,
                        patch_px,
                        model.spec,
                    )
                    for frame, centre, side in zip(self.pixels, centres, squares.float(), strict=True)
                ]
            )
        flat = patches.flatten(0, 1).to(memory_format=torch.channels_last)
        return backbone.extract(model.spec, model.backbone, flat).unflatten(0, sides.shape)

    def _seen(self, features: Tensor) -> Tensor | Spectra:
        """`Model.transformed` of features (B, n, K, M, M)."""
        if not self._fourier:
            return features
        spectra = fourier.transform(features.flatten(0, 1), self.shape)
        return replace(spectra, values=spectra.values.unflatten(0, features.shape[:2]))

    def _respond(self, theta: Tensor, seen: Tensor | Spectra, prepared: str | None = None) -> Tensor:
        """Responses (B, n, M, M) of theta (B, count), whose filters may lie `prepared` already."""
        if isinstance(seen, Tensor):
            maps: Tensor = torch.func.vmap(lambda p, f: response.respond(p, self.shape, f))(theta, seen)
            return maps
        if prepared is not None:
            size = self.shape.height, self.shape.width
            return fourier.respond(Prepared(self.tensors[prepared], theta[:, -1:], size), seen)
        return fourier.respond(fourier.prepare(theta, self.shape, seen.side), seen)

    def _gradient(self, theta: Tensor, seen: Tensor | Spectra, slopes: Tensor) -> Tensor:
        """Gradients (B, count) by the slopes (B, n, M, M) in the responses."""
        shape = self.shape
        if isinstance(seen, Spectra):
            return fourier.gradient(theta, shape, seen, slopes)

        def one(point: Tensor, features: Tensor, slopes: Tensor) -> Tensor:
            pull = torch.func.vjp(lambda p: response.respond(p, shape, features), point)[1]
            pulled: Tensor = pull(slopes)[0]
            return pulled

        with torch.enable_grad():
            gradients: Tensor = torch.func.vmap(one)(theta, seen, slopes)
        return gradients.detach()

    def _prepare(self) -> None:
        """The filters in the Fourier domain, after theta has changed."""
        if self._fourier:
            for name, side in (("search", self.model.map_size), ("pyramid", self.model.pyramid_map_size)):
                self.tensors[name].copy_(fourier.prepare(self.tensors["theta"], self.shape, side).values)

    # where it lies

    @property
    def _fourier(self) -> bool:
        return fourier.suits(self.shape)

    @property
    def _layers(self) -> int:
        return sum(name.startswith("hidden") for name in self.tensors)

    def _slots(self) -> Tensor:
        return torch.arange(self.slots, device=self.model.device)

    def _upload(self, slot: int, frame: Tensor) -> None:
        height, width = frame.shape[:2]
        if self.pixels[slot] is None or self.pixels[slot].shape != frame.shape:  # type: ignore[union-attr]
            self._make_room(self.shape, height, width)
            self.tensors["extents"][slot] = torch.tensor([width, height])
        self.pixels[slot] = frame
        if self.canvas:
            pinned = frame.pin_memory() if self.model.device.type == "cuda" else frame
            self.tensors["canvas"][slot, :height, :width].copy_(pinned, non_blocking=True)

    def _make_room(self, shape: ThetaShape, height: int, width: int) -> None:
        """Tensors in which such filters and frames have room beside those of the targets that are there."""
        there = [state for state in self.started if state is not None]
        if there or self.slots > 1:  # one target alone gets what fits
            canvas = self.tensors["canvas"]
            height, width = max(height, canvas.shape[1]), max(width, canvas.shape[2])
            rows, columns = max(shape.height, self.shape.height), max(shape.width, self.shape.width)
            shape = replace(shape, height=rows, width=columns)
        if (shape, [height, width]) == (self.shape, list(self.tensors["canvas"].shape[1:3])):
            return
        now = [None if state is None else self.state(slot) for slot, state in enumerate(self.started)]
        extents, seen = self.tensors["extents"], self.tensors["seen"]
        self.shape = shape
        self.tensors, self.graphs = self._set(shape, height, width)
        self.tensors["extents"].copy_(extents)
        self.tensors["seen"].copy_(seen)
        for slot, state in enumerate(now):
            if state is not None:
                self._write(slot, state)

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
        model, slots, device = self.model, self.slots, self.model.device
        config, count, places = model.config, shape.count, model.config.update.memory_frames + 1
        hidden = model.optimizer.init(
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
            "kept": zeros(dtype=whole),
            "rejected": zeros(dtype=whole),
            "features": zeros(places, model.spec.channels, model.map_size, model.map_size),
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

    def _write(self, slot: int, state: State) -> None:
        t, inside, memory = self.tensors, self._inside(state.shape), self.model.config.update.memory_frames
        double = torch.float64
        t["centre"][slot] = torch.tensor(state.centre_px, dtype=double)
        t["size"][slot] = torch.tensor(state.size_px, dtype=double)
        t["first_peak"][slot] = state.first_peak
        t["kept"][slot], t["rejected"][slot] = len(state.memory), state.rejected_steps
        for k, sample in enumerate(state.memory[-memory:]):
            t["features"][slot, k] = sample.features
            t["sample_centres"][slot, k] = torch.tensor(sample.centre_cells)
            t["sample_sizes"][slot, k] = torch.tensor(sample.size_cells)
        t["inside"][slot] = inside
        for name, values in (("theta", state.theta), ("rates", state.optimizer.rates)):
            t[name][slot] = 0.0
            t[name][slot, inside] = values
        for kind, parts in (("hidden", state.optimizer.hidden), ("cell", state.optimizer.cell)):
            for k, part in enumerate(parts):
                t[f"{kind}{k}"][:, slot] = 0.0
                t[f"{kind}{k}"][:, slot, inside] = part.t()
        self._prepare()


def _peaks(maps: Tensor, subcell: bool) -> Tensor:
    """Column and row (B, 2) of the maxima of maps (B, M, M), as locate.py finds them one by one."""
    size = maps.shape[-1]
    at = maps.flatten(1).argmax(1)
    slots = torch.arange(len(maps), device=maps.device)
    row, column = at // size, at % size
    places = [column.double(), row.double()]
    if subcell:
        lines = maps[slots, row], maps[slots, :, column]  # along the row, along the column
        for k, (line, index) in enumerate(zip(lines, (column, row), strict=True)):
            middle = index.clamp(1, size - 2)
            around = middle[:, None] + torch.arange(-1, 2, device=maps.device)
            before, top, after = line.gather(1, around).double().unbind(1)
            curvature = before - 2 * top + after
            shift = 0.5 * (before - after) / torch.where(curvature < 0, curvature, -1.0)
            places[k] = places[k] + torch.where((curvature < 0) & (middle == index), shift, 0.0)
    return torch.stack(places, dim=1)

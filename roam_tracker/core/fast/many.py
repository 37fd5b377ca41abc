"""Many targets at once, each with its own theta: the same boxes as `tracking.step`.

All that changes from frame to frame stays on the device, and decisions are made there by masks, so that a
frame costs one upload, two fixed sequences of kernels (`_locate`, and every tau frames `_update`) and one
copy of the boxes back. On CUDA both sequences are graphs. With B = 1 this is also how a single target is
followed there.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from roam_tracker.core import locate, response, tracking
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.fast import crop, fourier
from roam_tracker.core.fast.engine import Fast
from roam_tracker.core.fast.fourier import Prepared, Spectra
from roam_tracker.core.fast.graphs import numbers
from roam_tracker.core.fast.slots import Slots
from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.state import Box, State
from roam_tracker.core.tracking import Model
from roam_tracker.errors import ConfigError


def refusal(config: TrackerConfig) -> str | None:
    """The setting of a preset that batching does not support, or None."""
    return "oracle" if config.oracle else None


class Batch:
    """B targets in slots 0 .. B-1. Raises ConfigError for a preset with a `refusal`.

    canvas: whether frames are copied into a tensor and cropped there by `crop_by_products`, or stay
            where they are and are cropped one by one; None: the first on CUDA only
    """

    def __init__(self, model: Model, slots: int, *, canvas: bool | None = None) -> None:
        reason = refusal(model.config)
        if reason is not None:
            raise ConfigError(f"Targets are not followed at once with this {reason}: follow them one by one.")
        self.model = model
        self.slots = Slots(model, slots, model.device.type == "cuda" if canvas is None else canvas)
        self.pixels: list[Tensor | None] = [None] * slots  # the frames as they came
        self._turns: dict[tuple[bool, ...], Tensor] = {}

    def start(self, slot: int, frame: Tensor, box: Box) -> None:
        """Begin a target in a slot, whatever was there; see `tracking.start`. The frame is on the CPU."""
        self.load(slot, tracking.start(self.model, frame.to(self.model.device), box), frame)

    @torch.no_grad()
    def load(self, slot: int, state: State, frame: Tensor) -> None:
        """Go on with a target in a slot; `frame` tells how large its frames are."""
        self.slots.started[slot] = None
        self.slots.make_room(state.shape, *frame.shape[:2])
        self.slots.started[slot], self.slots.frames[slot] = state, state.frames
        self.slots.write(slot, state)

    def release(self, slot: int) -> None:
        """Forget the target of a slot, which takes None for a frame from now on."""
        self.slots.started[slot] = None

    def state(self, slot: int) -> State:
        """The target of a slot as `tracking.step` has it, on the model's device."""
        return self.slots.read(slot)

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
                self.slots.frames[slot] += 1
            due.append(frame is not None and self.slots.frames[slot] % every == 0)
        self.slots.graphs.run("locate", self._locate)
        if any(due):
            key = tuple(due)
            if key not in self._turns:  # few ever occur where targets begin at the same point of the rhythm
                self._turns[key] = torch.tensor(due, device=self.model.device)
            self.slots.tensors["due"].copy_(self._turns[key])
            self.slots.graphs.run("update", self._update)
        return self.slots.tensors["seen"].to("cpu", copy=True)

    # what happens in a frame

    def _locate(self) -> None:
        """The first half of `tracking.step`: where the target is, how large, and what is remembered of it."""
        t, model, config = self.slots.tensors, self.model, self.model.config
        centre, size = t["centre"], t["size"]
        side = config.search.roi_scale * size.prod(1).sqrt()  # (B,), see Model.region_side
        features = self._features(centre, side[:, None], model.patch_px)
        maps = self._respond(t["theta"], self._seen(features), "search")[:, 0]
        score = maps.amax((1, 2))
        cells = torch.arange(model.map_size, device=model.device) - (model.map_size - 1) / 2
        px = model.patch_px / model.spec.stride  # cells of a patch
        one = torch.exp(-0.5 * (cells / (config.box.motion_sigma * px / config.search.roi_scale)) ** 2)
        masked = maps * (one[:, None] * one[None, :])
        peak = _peaks(masked, config.box.subcell)
        found = centre + (peak - (model.map_size - 1) / 2) * (side / px)[:, None]

        steps = numbers(locate.pyramid_scales(config.box), side)
        share = model.pyramid_px / model.patch_px
        crops = self._features(found, share * side[:, None] * steps, model.pyramid_px)
        peaks = self._respond(t["theta"], self._seen(crops), "pyramid").amax((2, 3))
        if config.box.estimate == "best":
            growth = 1 + config.box.size_weight * (steps[peaks.argmax(1)] - 1)
        else:
            growth = torch.exp(config.box.size_weight * _vertices(peaks) * steps[2].log())
        grown = size * growth[:, None]

        limits = t["extents"].to(size.dtype)  # width, height of the frames
        found = found.clamp_min(0).minimum(limits)
        grown = grown.clamp_min(config.box.min_side_px).minimum(limits)
        t["tracked"] += 1
        keep = score >= config.update.miss_ratio * t["first_peak"]
        keep &= t["tracked"] % config.update.memory_stride == 0
        to_cells = (px / side)[:, None]
        if config.update.ambiguity < 1:
            keep &= _second_peaks(maps, masked, size * to_cells) <= config.update.ambiguity
        memory = config.update.memory_frames
        slots, place = self.slots.numbers, torch.where(keep, t["kept"] % memory, memory)
        t["sample_features"][slots, place] = features[:, 0]
        t["sample_centres"][slots, place] = ((model.map_size - 1) / 2 + (found - centre) * to_cells).float()
        t["sample_sizes"][slots, place] = (grown * to_cells).float()
        t["sample_frames"][slots, place] = t["tracked"]
        t["kept"] += keep
        t["seen"].copy_(torch.cat([found - grown / 2, grown, score[:, None].to(size.dtype)], dim=1))
        t["centre"].copy_(found)
        t["size"].copy_(grown)

    def _update(self) -> None:
        """`tracking.update` for the slots whose turn it is and that remember a sample."""
        t, config = self.slots.tensors, self.model.config.update
        length = t["kept"].clamp_max(config.memory_frames)
        turn = t["due"] & (length > 0)
        newest = (length - config.samples).clamp_min(0)
        for index in range(config.steps):
            first = torch.round(newest * (index / (config.steps - 1))).long() if config.steps > 1 else newest
            chosen = first[:, None] + torch.arange(config.samples, device=length.device)
            valid = chosen < length[:, None]
            places = ((t["kept"] - length)[:, None] + chosen) % config.memory_frames
            ages = t["tracked"][:, None] - t["sample_frames"][self.slots.numbers[:, None], places]
            self._learn(places, self._shares(ages, valid), turn)
        self.slots.prepare()

    def _shares(self, ages: Tensor, valid: Tensor) -> Tensor:
        """`update.shares` of F first samples and n others (B, F + n), those that are not `valid` 0."""
        t, config = self.slots.tensors, self.model.config.update
        fresh = torch.where(valid, (1 - config.decay) ** ages, 0.0)
        fresh = fresh / fresh.sum(1, keepdim=True).clamp_min(1e-12)
        firsts = t["first_sizes"].shape[1]
        if firsts == 0:
            return fresh
        first = torch.full_like(fresh[:, :1], config.first_share)
        if config.decay > 0:
            first = torch.maximum(first, (1 - config.decay) ** t["tracked"][:, None])
        return torch.cat([(first / firsts).expand(-1, firsts), (1 - first) * fresh], dim=1)

    def _learn(self, places: Tensor, shares: Tensor, turn: Tensor) -> None:
        """One guarded step of eq. (3) on first samples and those at `places` (B, n), weighted by `shares`."""
        t, config, slots = self.slots.tensors, self.model.config, self.slots.numbers[:, None]
        centres, sizes, features = (
            torch.cat([t[f"first_{name}"], t[f"sample_{name}"][slots, places]], dim=1)
            for name in ("centres", "sizes", "features")
        )
        labels = response.gaussian_labels(
            centres.flatten(0, 1), sizes.flatten(0, 1), self.model.map_size, config.model.label_alpha
        )
        seen, theta = self._seen(features), t["theta"]

        def responses(theta: Tensor) -> Tensor:
            return self._respond(theta, seen).flatten(0, 1)

        def loss(maps: Tensor) -> Tensor:
            losses = response.sample_losses(maps, labels, config.model.loss).view_as(shares)
            return torch.where(shares > 0, losses * shares, 0.0).sum(1)

        maps = responses(theta)
        now = loss(maps)
        falls = fourier.slopes(maps, labels, config.model.loss) * shares.flatten()[:, None, None]
        gradient = self._gradient(theta, seen, falls.unflatten(0, shares.shape)) * t["inside"]
        before = OptimizerState(
            t["rates"].flatten(),
            t["groups"].flatten(),
            tuple(t[f"hidden{k}"].flatten(1).t() for k in range(self.slots.layers)),
            tuple(t[f"cell{k}"].flatten(1).t() for k in range(self.slots.layers)),
        )
        each = now[:, None].expand_as(theta).flatten()
        flat, after = self.model.learner.optimizer.step(
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
        patches = self._patches(centres, sides, patch_px)
        flat = patches.flatten(0, 1).to(memory_format=torch.channels_last)
        features: Tensor = self.model.features_of(flat).unflatten(0, sides.shape)
        return features

    def _patches(self, centres: Tensor, sides: Tensor, size: int) -> Tensor:
        """(B, n, 3, size, size) of square regions: centres (B, 2), sides (B, n), in px; see `search.crop`."""
        spec = self.model.spec
        if self.slots.canvas:
            canvas, extents = self.slots.tensors["canvas"], self.slots.tensors["extents"]
            return crop.crop_by_products(canvas, extents, centres, sides, size, spec)
        empty = torch.zeros(1, 1, 3, dtype=torch.uint8)
        return torch.stack(
            [
                crop.crop(empty if frame is None else frame, centre.expand(len(side), 2), side, size, spec)
                for frame, centre, side in zip(self.pixels, centres, sides.float(), strict=True)
            ]
        )

    def _seen(self, features: Tensor) -> Tensor | Spectra:
        """`Fast.transform` of features (B, n, K, M, M)."""
        if not fourier.suits(self.slots.shape):
            return features
        spectra = fourier.transform(features.flatten(0, 1), self.slots.shape)
        return replace(spectra, values=spectra.values.unflatten(0, features.shape[:2]))

    def _respond(self, theta: Tensor, seen: Tensor | Spectra, prepared: str | None = None) -> Tensor:
        """Responses (B, n, M, M) of theta (B, count), whose filters may lie `prepared` already."""
        if isinstance(seen, Tensor):
            maps: Tensor = torch.func.vmap(lambda p, f: Fast().respond(p, self.slots.shape, f))(theta, seen)
            return maps
        if prepared is not None:
            size = self.slots.shape.height, self.slots.shape.width
            return fourier.respond(Prepared(self.slots.tensors[prepared], theta[:, -1:], size), seen)
        return fourier.respond(fourier.prepare(theta, self.slots.shape, seen.side), seen)

    def _gradient(self, theta: Tensor, seen: Tensor | Spectra, slopes: Tensor) -> Tensor:
        """Gradients (B, count) by the slopes (B, n, M, M) in the responses."""
        shape = self.slots.shape
        if isinstance(seen, Spectra):
            return fourier.gradient(theta, shape, seen, slopes)

        def one(point: Tensor, features: Tensor, slopes: Tensor) -> Tensor:
            pull = torch.func.vjp(lambda p: Fast().respond(p, shape, features), point)[1]
            pulled: Tensor = pull(slopes)[0]
            return pulled

        with torch.enable_grad():
            gradients: Tensor = torch.func.vmap(one)(theta, seen, slopes)
        return gradients.detach()

    def _upload(self, slot: int, frame: Tensor) -> None:
        height, width = frame.shape[:2]
        if self.pixels[slot] is None or self.pixels[slot].shape != frame.shape:  # type: ignore[union-attr]
            self.slots.make_room(self.slots.shape, height, width)
            self.slots.tensors["extents"][slot] = torch.tensor([width, height])
        self.pixels[slot] = frame
        if self.slots.canvas:
            pinned = frame.pin_memory() if self.model.device.type == "cuda" else frame
            self.slots.tensors["canvas"][slot, :height, :width].copy_(pinned, non_blocking=True)


def _vertices(peaks: Tensor) -> Tensor:
    """`locate.vertex` (B,) of three scores (B, 3): of the believed size, a smaller and a larger one."""
    top, before, after = peaks.double().unbind(1)
    curvature = before - 2 * top + after
    curved = curvature < 0
    inside = (0.5 * (before - after) / torch.where(curved, curvature, -1.0)).clamp(-1, 1)
    return torch.where(curved, inside, torch.sign(after - before))


def _second_peaks(maps: Tensor, masked: Tensor, sizes_cells: Tensor) -> Tensor:
    """`locate.second_peak` (B,) of maps (B, M, M), the peaks chosen on those under the motion map."""
    side = maps.shape[-1]
    at = masked.flatten(1).argmax(1)
    cells = torch.arange(side, device=maps.device)
    across, down = torch.ceil(0.6 * sizes_cells)[:, :, None].unbind(1)
    near_row, near_column = (
        (cells - place[:, None]).abs() <= reach for place, reach in ((at // side, down), (at % side, across))
    )
    others = torch.where(near_row[:, :, None] & near_column[:, None, :], 0.0, maps).amax((1, 2))
    return others / maps.flatten(1).gather(1, at[:, None])[:, 0].clamp_min(1e-6)


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

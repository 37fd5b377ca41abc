"""Views of the first frame: the target as it is, and as it may look later, to learn theta(1) from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core import search
from roam_tracker.core.backbone import BackboneSpec
from roam_tracker.core.config import UpdateConfig
from roam_tracker.core.state import Pair

Crop = Callable[[Tensor, Tensor, Tensor, int, BackboneSpec], Tensor]


@dataclass(frozen=True, slots=True)
class View:
    """One change of the search region around the target; the first view changes nothing."""

    scale: float = 1.0  # of the region's side: above 1 the target looks smaller
    degrees: float = 0.0  # by which the region is turned
    shift: Pair = (0.0, 0.0)  # of the region's centre, in target sides (w, h)
    flip: bool = False  # left to right
    blur: float = 0.0  # std in px of the patch

    def label(self, side_px: float, size_px: Pair, map_size: int, cells: float) -> tuple[Pair, Pair]:
        """Centre and size of the target in feature cells of this view's map of M x M cells.

        cells: length of the patch in feature cells, patch side over stride
        """
        per_px, middle = cells / (side_px * self.scale), (map_size - 1) / 2
        x, y = (-move * size * per_px for move, size in zip(self.shift, size_px, strict=True))
        return (middle + (-x if self.flip else x), middle + y), (size_px[0] * per_px, size_px[1] * per_px)


def views(config: UpdateConfig) -> tuple[View, ...]:
    """The views that the settings name, the unchanged one first."""
    found = [View(scale) for scale in config.first_scales]
    found += [View(degrees=degrees) for degrees in config.first_rotations]
    far = config.first_shift
    found += [View(shift=move) for move in ((far, far), (-far, far), (far, -far), (-far, -far)) if far > 0]
    found += [View(flip=True)] * config.first_flip
    found += [View(blur=blur) for blur in config.first_blurs]
    return tuple(found)


def view_patches(
    frame: Tensor,
    centre_px: Pair,
    side_px: float,
    size_px: Pair,
    chosen: Sequence[View],
    patch_px: int,
    spec: BackboneSpec,
    crop: Crop = search.crop,
) -> Tensor:
    """A patch of the frame for each view, (n, 3, S, S) float32 with S = patch_px, see `search.crop`.

    frame: (H, W, 3) uint8; centre, side of the search region and size w, h of the target in px
    crop:  cuts the patches, as `search.crop` does
    """
    centres = torch.tensor(
        [[c + s * v for c, s, v in zip(centre_px, size_px, view.shift, strict=True)] for view in chosen],
        dtype=torch.float64,
    )
    sides = torch.tensor([side_px * view.scale for view in chosen])
    patches = crop(frame, centres, sides, patch_px, spec)
    for number, view in enumerate(chosen):
        one = slice(number, number + 1)
        if view.degrees:
            patches[one] = _turned(frame, centres[one], sides[one], view.degrees, patch_px, spec, crop)
        if view.flip:
            patches[one] = patches[one].flip(3)
        if view.blur:
            patches[one] = _blurred(patches[one], view.blur)
    return patches


def _turned(
    frame: Tensor,
    centre: Tensor,
    sides: Tensor,
    degrees: float,
    patch_px: int,
    spec: BackboneSpec,
    crop: Crop,
) -> Tensor:
    """The patch (1, 3, S, S) of a turned region, out of one large enough to hold it."""
    angle = math.radians(degrees)
    room = abs(math.cos(angle)) + abs(math.sin(angle))
    large = math.ceil(patch_px * room)
    whole = crop(frame, centre, sides * large / patch_px, large, spec)
    share = patch_px / large
    turn = torch.tensor([[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]])
    grid = F.affine_grid((share * turn)[None].to(whole), [1, 3, patch_px, patch_px], align_corners=False)
    return F.grid_sample(whole, grid, "bilinear", padding_mode="zeros", align_corners=False)


def _blurred(patch: Tensor, std: float) -> Tensor:
    """The patch (1, 3, S, S) under a Gaussian with that std in px."""
    reach = math.ceil(3 * std)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=patch.device) / std) ** 2)
    line = (line / line.sum()).expand(3, 1, 1, -1)
    patch = F.conv2d(F.pad(patch, (reach, reach, 0, 0), "reflect"), line, groups=3)
    return F.conv2d(F.pad(patch, (0, 0, reach, reach), "reflect"), line.transpose(2, 3), groups=3)

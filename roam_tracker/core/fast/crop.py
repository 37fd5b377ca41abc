"""Patches out of a frame, sooner than `search.crop`: one at a time on a CPU, all at once on a GPU."""

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.backbone import BackboneSpec
from roam_tracker.core.fast.graphs import numbers


def crop(frame: Tensor, centres_px: Tensor, sides_px: Tensor, size: int, spec: BackboneSpec) -> Tensor:
    """The same result as `search.crop`, out of the part of the frame that the regions touch."""
    regions = list(zip(centres_px.tolist(), sides_px.tolist(), strict=True))
    if all(_shrink(side, size) == 1 for _, side in regions):
        return _sample(frame, regions, 1, size, spec)
    return torch.cat([_sample(frame, [(c, s)], _shrink(s, size), size, spec) for c, s in regions])


Region = tuple[list[float], float]  # centre x, y and side in px


def _shrink(side: float, size: int) -> int:
    """Pixels that are averaged along each axis before a region is resized."""
    return max(1, int(side / size))


def _sample(frame: Tensor, regions: list[Region], shrink: int, size: int, spec: BackboneSpec) -> Tensor:
    """Patches of regions that all shrink alike, out of one window that holds them all."""
    height, width = frame.shape[:2]
    # the part of the frame that the regions touch, with room for the bilinear neighbours
    margin = shrink + 1
    left = max(0, min(int(x - side / 2) for (x, _), side in regions) - margin)
    top = max(0, min(int(y - side / 2) for (_, y), side in regions) - margin)
    right = min(width, max(int(x + side / 2) for (x, _), side in regions) + margin + 1)
    bottom = min(height, max(int(y + side / 2) for (_, y), side in regions) + margin + 1)
    if right <= left or bottom <= top:  # the regions lie wholly outside
        return torch.zeros(len(regions), 3, size, size, device=frame.device)
    window = _normalised(_averaged(frame[top:bottom, left:right], shrink), spec)
    # patch pixel j, centred at j + 1/2, shows the frame at x + (j + 1/2 - size/2) * side/size; grid_sample
    # wants it from -1 (left edge of the window) to 1 (right edge)
    extent = shrink * window.shape[1], shrink * window.shape[0]
    middles = [
        [(2 * (c - o) / e - 1) for c, o, e in zip(centre, (left, top), extent, strict=True)]
        for centre, _ in regions
    ]
    reaches = [[side / e for e in extent] for _, side in regions]
    offsets = torch.arange(1 - size, size, 2, device=frame.device) / size  # twice (j + 1/2 - size/2) / size
    middle, reach = torch.tensor([middles, reaches], device=frame.device)[..., None]
    across, down = (middle + offsets * reach).unbind(1)  # (n, size) each
    return _sampled(window.permute(2, 0, 1), across, down)


def _sampled(window: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Pixels of the window (3, h, w) at all pairs of places (n, size) from -1 to 1, (n, 3, size, size).

    grid_sample gives each of its threads whole images, so a single one is cut into halves.
    """
    count, size = across.shape
    if count == 1:
        half = (size + 1) // 2
        across, down = across.expand(2, -1), torch.cat([down, down[:, -1:]], 1)[:, : 2 * half].view(2, half)
    shape = len(down), down.shape[1], size
    # x and y of each place side by side, as grid_sample wants them
    grid = torch.view_as_real(torch.complex(across[:, None].expand(shape), down[:, :, None].expand(shape)))
    patches = F.grid_sample(
        window.expand(len(grid), -1, -1, -1), grid, "bilinear", padding_mode="zeros", align_corners=False
    )
    patches = patches.permute(0, 2, 3, 1).reshape(count, -1, size, 3)  # a copy: channels last
    return patches[:, :size].permute(0, 3, 1, 2)


def _normalised(window: Tensor, spec: BackboneSpec) -> Tensor:
    """(pixel - mean) / std of a window (h, w, 3) as float32."""
    rows = window.reshape(len(window), -1)  # whole rows at a time: three numbers fill no vector register
    mean, std = (
        torch.tensor(values, device=window.device).repeat(window.shape[1]) for values in (spec.mean, spec.std)
    )
    return rows.sub(mean).div_(std).view(window.shape)


def _averaged(window: Tensor, side: int) -> Tensor:
    """Means over blocks of side x side px, at the far edges over what there is of a block.

    window: (h, w, 3) uint8; returns (h/side, w/side, 3) float32, rounded up, or the window itself. The
    values of F.avg_pool2d; sums of whole rows first take a quarter to half of its time.
    """
    if side == 1:
        return window
    height, width = window.shape[:2]
    window = F.pad(window, (0, 0, 0, -width % side, 0, -height % side))
    rows = window[::side].float()
    for offset in range(1, side):
        rows += window[offset::side]
    means = rows[:, ::side].clone()
    for offset in range(1, side):
        means += rows[:, offset::side]
    down, across = (
        torch.full((-(-length // side),), float(side), device=window.device) for length in (height, width)
    )
    down[-1] -= -height % side
    across[-1] -= -width % side
    return means.div_((down[:, None] * across)[:, :, None])


def crop_by_products(
    frames: Tensor,
    extents_px: Tensor,
    centres_px: Tensor,
    sides_px: Tensor,
    size: int,
    spec: BackboneSpec,
) -> Tensor:
    """The same result as `search.crop` for many frames, as two matrix products, without a look at values.

    Each row of a patch is a weighted sum of rows of its frame, each column one of columns; the weights are
    those of averaging and of bilinear interpolation. For GPUs.

    frames:     (B, H, W, 3) uint8, RGB, each in the upper left corner of its canvas
    extents_px: (B, 2) int64, width and height of each frame
    centres_px: (B, 2) float64, sides_px: (B, n) float64
    returns:    (B, n, 3, size, size) float32
    """
    shrink = torch.floor(sides_px / size).clamp_min(1)  # (B, n)
    columns, rows = (
        _weights(centres_px[:, None, k], sides_px, extents_px[:, None, k], shrink, size, length)
        for k, length in ((0, frames.shape[2]), (1, frames.shape[1]))
    )
    pixels = frames.permute(0, 3, 1, 2).float()
    patches = rows[:, :, None] @ pixels[:, None] @ columns[:, :, None].mT
    seen = rows.sum(-1)[..., :, None] * columns.sum(-1)[..., None, :]  # 1 inside the frame, 0 outside
    mean, std = (numbers(values, patches).view(3, 1, 1) for values in (spec.mean, spec.std))
    return (patches - mean * seen[:, :, None]) / std


def _weights(centre: Tensor, side: Tensor, limit: Tensor, shrink: Tensor, size: int, length: int) -> Tensor:
    """How much of each of `length` pixels is in each of `size` pixels of a patch, (B, n, size, length)."""
    margin = shrink + 1
    first = (torch.trunc(centre - side / 2) - margin).clamp_min(0)
    end = (torch.trunc(centre + side / 2) + margin + 1).minimum(limit)
    pixels = torch.arange(length, device=centre.device, dtype=centre.dtype)
    block = torch.floor((pixels - first[..., None]) / shrink[..., None])  # which average a pixel goes into
    count = (end[..., None] - first[..., None] - block * shrink[..., None]).minimum(shrink[..., None])
    inside = (pixels >= first[..., None]) & (pixels < end[..., None])
    offsets = (torch.arange(size, device=centre.device, dtype=centre.dtype) + 0.5) / size - 0.5
    places = (centre[..., None] + offsets * side[..., None] - first[..., None]) / shrink[..., None] - 0.5
    near = (1 - (places[..., :, None] - block[..., None, :]).abs()).clamp_min(0)
    return (near * torch.where(inside, 1 / count, 0.0)[..., None, :]).float()

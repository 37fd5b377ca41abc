"""The search region: a square around the target, cut out of the frame and resized (section 5)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.backbone import BackboneSpec


def crop(frame: Tensor, centres_px: Tensor, sides_px: Tensor, size: int, spec: BackboneSpec) -> Tensor:
    """Patches of one frame, resized and normalised (paper, section 5, Patch Cropping).

    frame:      (H, W, 3) uint8, RGB
    centres_px: (n, 2) x, y in px of the frame
    sides_px:   (n, 2) width and height of the regions in px of the frame, equal but for stretched ones
    returns:    (n, 3, size, size) float32, (pixel - mean) / std; 0, the mean colour, outside the frame

    Bilinear; a region more than twice as large as the patch is first averaged over whole pixels.
    """
    regions = list(zip(centres_px.tolist(), sides_px.tolist(), strict=True))
    if all(_shrink(sides, size) == 1 for _, sides in regions):
        return _sample(frame, regions, 1, size, spec)
    return torch.cat([_sample(frame, [(c, s)], _shrink(s, size), size, spec) for c, s in regions])


Region = tuple[list[float], list[float]]  # centre x, y and width, height in px


def _shrink(sides: list[float], size: int) -> int:
    """Pixels that are averaged along each axis before a region is resized."""
    return max(1, int(max(sides) / size))


def _sample(frame: Tensor, regions: list[Region], shrink: int, size: int, spec: BackboneSpec) -> Tensor:
    """Patches of regions that all shrink alike, out of one window that holds them all."""
    height, width = frame.shape[:2]
    # the part of the frame that the regions touch, with room for the bilinear neighbours
    margin = shrink + 1
    left = max(0, min(int(x - across / 2) for (x, _), (across, _) in regions) - margin)
    top = max(0, min(int(y - down / 2) for (_, y), (_, down) in regions) - margin)
    right = min(width, max(int(x + across / 2) for (x, _), (across, _) in regions) + margin + 1)
    bottom = min(height, max(int(y + down / 2) for (_, y), (_, down) in regions) + margin + 1)
    if right <= left or bottom <= top:  # the regions lie wholly outside
        return torch.zeros(len(regions), 3, size, size, device=frame.device)
    window = _averaged(frame[top:bottom, left:right], shrink)
    window -= torch.tensor(spec.mean, device=frame.device).view(1, 3, 1, 1)
    window /= torch.tensor(spec.std, device=frame.device).view(1, 3, 1, 1)
    # patch pixel j, centred at j + 1/2, shows the frame at x + (j + 1/2 - size/2) * side/size; grid_sample
    # wants it from -1 (left edge of the window) to 1 (right edge)
    offsets = (torch.arange(size, device=frame.device) + 0.5 - size / 2) / size
    grid = torch.empty(len(regions), size, size, 2, device=frame.device)
    for place, ((x, y), (across, down)) in zip(grid, regions, strict=True):
        place[:, :, 0] = 2 * (x + offsets * across - left) / (shrink * window.shape[3]) - 1
        place[:, :, 1] = (2 * (y + offsets * down - top) / (shrink * window.shape[2]) - 1)[:, None]
    windows = window.expand(len(regions), -1, -1, -1)
    return F.grid_sample(windows, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _averaged(window: Tensor, side: int) -> Tensor:
    """Means over blocks of side x side px, at the far edges over what there is of a block.

    window: (h, w, 3) uint8; returns (1, 3, h/side, w/side) float32, rounded up. The values of
    F.avg_pool2d; sums of whole rows first take a quarter to half of its time.
    """
    height, width = window.shape[:2]
    if side > 1:
        window = F.pad(window, (0, 0, 0, -width % side, 0, -height % side))
        rows = window[::side].float()
        for offset in range(1, side):
            rows += window[offset::side]
        window = rows[:, ::side].clone()
        for offset in range(1, side):
            window += rows[:, offset::side]
    means = window.permute(2, 0, 1)[None].to(torch.float32, memory_format=torch.contiguous_format)
    if side > 1:
        down, across = (
            torch.full((-(-length // side),), float(side), device=window.device) for length in (height, width)
        )
        down[-1] -= -height % side
        across[-1] -= -width % side
        means /= down[:, None] * across
    return means

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
    return torch.cat(
        [
            _crop_one(frame, (x, y), (across, down), size, spec)
            for (x, y), (across, down) in zip(centres_px.tolist(), sides_px.tolist(), strict=True)
        ]
    )


def _crop_one(
    frame: Tensor, centre: tuple[float, float], sides: tuple[float, float], size: int, spec: BackboneSpec
) -> Tensor:
    (x, y), (across, down) = centre, sides
    height, width = frame.shape[:2]
    shrink = max(1, int(max(sides) / size))
    # the part of the frame that the region touches, with room for the bilinear neighbours
    margin = shrink + 1
    left, top = max(0, int(x - across / 2) - margin), max(0, int(y - down / 2) - margin)
    right, bottom = (
        min(width, int(x + across / 2) + margin + 1),
        min(height, int(y + down / 2) + margin + 1),
    )
    if right <= left or bottom <= top:  # the region lies wholly outside
        return torch.zeros(1, 3, size, size, device=frame.device)
    window = frame[top:bottom, left:right].permute(2, 0, 1)[None].float()
    mean = torch.tensor(spec.mean, device=frame.device).view(1, 3, 1, 1)
    std = torch.tensor(spec.std, device=frame.device).view(1, 3, 1, 1)
    window = (window - mean) / std
    if shrink > 1:
        window = F.avg_pool2d(window, shrink, ceil_mode=True, count_include_pad=False)
    # patch pixel j, centred at j + 1/2, shows the frame at x + (j + 1/2 - size/2) * side/size; grid_sample
    # wants it from -1 (left edge of the window) to 1 (right edge)
    offsets = (torch.arange(size, device=frame.device) + 0.5 - size / 2) / size
    columns = 2 * (x + offsets * across - left) / (shrink * window.shape[3]) - 1
    rows = 2 * (y + offsets * down - top) / (shrink * window.shape[2]) - 1
    grid = torch.stack(torch.broadcast_tensors(columns[None, :], rows[:, None]), dim=-1)[None]
    return F.grid_sample(window, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

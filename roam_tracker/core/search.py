"""The search region: a square around the target, cut out of the frame and resized (section 5)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.backbone import BackboneSpec


def crop(frame: Tensor, centres_px: Tensor, sides_px: Tensor, size: int, spec: BackboneSpec) -> Tensor:
    """Patches of one frame, resized and normalised (paper, section 5, Patch Cropping).

    frame:      (H, W, 3) uint8, RGB
    centres_px: (n, 2) x, y in px of the frame
    sides_px:   (n,) sides of the square regions in px of the frame
    returns:    (n, 3, size, size) float32, (pixel - mean) / std; 0, the mean colour, outside the frame

    Bilinear; a region more than twice as large as the patch is first averaged over blocks of whole pixels.
    """
    mean, std = (torch.tensor(values, device=frame.device) for values in (spec.mean, spec.std))
    pixels = ((frame - mean) / std).permute(2, 0, 1)
    offsets = (torch.arange(size, device=frame.device) + 0.5) / size - 0.5  # of the patch's pixels, in sides
    patches = []
    for centre, side in zip(centres_px.tolist(), sides_px.tolist(), strict=True):
        block = max(1, int(side / size))
        # blocks are counted from a pixel or two beside the region
        left, top = (max(0, int(place - side / 2) - block - 1) for place in centre)
        seen = pixels[:, min(top, frame.shape[0] - 1) :, min(left, frame.shape[1] - 1) :]
        seen = F.avg_pool2d(seen, block, ceil_mode=True, count_include_pad=False)
        # grid_sample counts from -1, the left edge of what is seen, to 1, its right edge
        across, down = (
            2 * (place - first + side * offsets) / (block * length) - 1
            for place, first, length in zip(centre, (left, top), (seen.shape[2], seen.shape[1]), strict=True)
        )
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
        patches.append(F.grid_sample(seen[None], grid[None], padding_mode="zeros", align_corners=False))
    return torch.cat(patches)


def hann_window(side: int, whole: int, device: torch.device) -> Tensor:
    """The middle (side, side) cells of a Hann window over a map of `whole` cells, none of them 0."""
    line = torch.hann_window(whole + 2, periodic=False, device=device)[1:-1]
    margin = (whole - side) // 2
    line = line[margin : margin + side]
    return line[:, None] * line[None, :]

import pytest
import torch
import torch.nn.functional as F

from roam_tracker.core import backbone, search


def test_a_patch_shows_the_mean_colour_outside_the_frame():
    spec = backbone.backbone_spec("lite0")
    frame = torch.full((20, 30, 3), 255, dtype=torch.uint8)
    patch = search.crop(frame, torch.tensor([[0.0, 0.0]]), torch.tensor([20.0]), 41, spec)[0]
    assert (patch[:, :19, :] == 0).all() and (patch[:, :, :19] == 0).all()
    torch.testing.assert_close(patch[:, 22:, 22:], torch.ones(3, 19, 19))


def test_a_patch_of_the_frames_own_size_is_the_frame():
    spec = backbone.backbone_spec("lite0")
    frame = torch.randint(0, 256, (41, 41, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    patch = search.crop(frame, torch.tensor([[20.5, 20.5]]), torch.tensor([41.0]), 41, spec)[0]
    torch.testing.assert_close(patch, (frame.permute(2, 0, 1).float() - 127) / 128, atol=1e-4, rtol=0)


def crop_plainly(frame, centre, side, size, spec):
    """`crop` of one region, out of the whole normalised frame and pixel by pixel."""
    shrink = max(1, int(side / size))
    x, y = centre
    # blocks of averaged pixels begin where `crop` begins its window
    left, top = (max(0, int(c - side / 2) - shrink - 1) for c in centre)
    picture = frame[top:, left:].permute(2, 0, 1)[None].double()
    picture = (picture - torch.tensor(spec.mean).view(3, 1, 1)) / torch.tensor(spec.std).view(3, 1, 1)
    picture = F.pad(F.avg_pool2d(picture, shrink, ceil_mode=True, count_include_pad=False)[0], [1] * 4)
    patch = torch.zeros(3, size, size)
    for i in range(size):
        for j in range(size):
            across = (x + ((j + 0.5) / size - 0.5) * side - left) / shrink + 0.5
            down = (y + ((i + 0.5) / size - 0.5) * side - top) / shrink + 0.5
            column, row = int(across // 1), int(down // 1)
            if 0 <= column < picture.shape[2] - 1 and 0 <= row < picture.shape[1] - 1:
                four = picture[:, row : row + 2, column : column + 2]
                u, v = across - column, down - row
                patch[:, i, j] = (four[:, 0, 0] * (1 - u) + four[:, 0, 1] * u) * (1 - v) + (
                    four[:, 1, 0] * (1 - u) + four[:, 1, 1] * u
                ) * v
    return patch


@pytest.mark.parametrize("side", [12.0, 30.5, 70.0])
@pytest.mark.parametrize("centre", [(30.3, 20.7), (2.0, 39.0)])
def test_regions_cropped_together_are_those_cropped_plainly_one_by_one(side, centre):
    spec = backbone.backbone_spec("vgg16-torchvision")  # means and deviations differ between channels
    frame = torch.randint(0, 256, (41, 53, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    regions = torch.tensor([side, 1.05 * side, 0.8 * side])
    patches = search.crop(frame, torch.tensor([centre] * 3, dtype=torch.float64), regions, 21, spec)
    for patch, each in zip(patches, regions.tolist(), strict=True):
        torch.testing.assert_close(patch, crop_plainly(frame, centre, each, 21, spec), atol=1e-4, rtol=0)

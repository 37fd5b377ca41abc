import torch

from roam_tracker.core import backbone, search


def test_a_patch_shows_the_mean_colour_outside_the_frame():
    spec = backbone.backbone_spec("lite0")
    frame = torch.full((20, 30, 3), 255, dtype=torch.uint8)
    patch = search.crop(frame, torch.tensor([[0.0, 0.0]]), torch.tensor([[20.0, 20.0]]), 41, spec)[0]
    assert (patch[:, :19, :] == 0).all() and (patch[:, :, :19] == 0).all()
    torch.testing.assert_close(patch[:, 22:, 22:], torch.ones(3, 19, 19))


def test_a_patch_of_the_frames_own_size_is_the_frame():
    spec = backbone.backbone_spec("lite0")
    frame = torch.randint(0, 256, (41, 41, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    patch = search.crop(frame, torch.tensor([[20.5, 20.5]]), torch.tensor([[41.0, 41.0]]), 41, spec)[0]
    torch.testing.assert_close(patch, (frame.permute(2, 0, 1).float() - 127) / 128, atol=1e-4, rtol=0)


def test_a_stretched_region_shows_more_along_its_longer_side():
    spec = backbone.backbone_spec("lite0")
    frame = torch.full((60, 60, 3), 127, dtype=torch.uint8)
    frame[:, :, 0][:, 20:40] = 255  # a bar 20 px wide
    centre = torch.tensor([[30.5, 30.5]])
    widths = [
        int((search.crop(frame, centre, torch.tensor([sides]), 41, spec)[0, 0, 20] > 0.5).sum())
        for sides in ([41.0, 41.0], [82.0, 41.0], [41.0, 82.0])
    ]
    assert widths == [20, 10, 20]

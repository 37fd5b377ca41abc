import dataclasses

import numpy as np
import pytest
import torch
from conftest import NEEDS_BFLOAT16
from PIL import Image

from roam_tracker.core.config import load_preset
from roam_tracker.core.theta import canonical_shape
from roam_tracker.errors import ConfigError, DataError
from roam_tracker.tracker import RoamTracker
from roam_tracker.training.clips import Clip, draw_clip, find_videos
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.meta import meta_losses
from roam_tracker.training.pipeline import Job, train
from roam_tracker.training.sources import FromVideos
from roam_tracker.training.validation import mean_overlaps
from roam_tracker.training.whitening import whitening
from roam_tracker.weights import load_weights

pytestmark = pytest.mark.slow

DEFAULT = load_preset("default")
TINY = dataclasses.replace(
    DEFAULT,
    search=dataclasses.replace(DEFAULT.search, base_object_size=16.0),
    model=dataclasses.replace(DEFAULT.model, reduced_channels=4, filter_height=5, filter_width=5),
    optimizer=dataclasses.replace(DEFAULT.optimizer, hidden=4),
)
SETTINGS = TrainingConfig(
    clips=6,
    updates=2,
    batch=2,
    start_iterations=50,
    iterations=50,
    start_rate=0.15,
    first_rates=(2e-3, 2e-3, 1e-4, 1e-4),
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, moving_square):
    root = tmp_path_factory.mktemp("videos")
    frames, boxes = moving_square
    for name, part in (("a", slice(0, 15)), ("b", slice(4, 20))):
        (root / name / "images").mkdir(parents=True)
        for k, frame in enumerate(frames[part]):
            Image.fromarray(frame).save(root / name / "images" / f"{k:05d}.jpg", quality=95)
        np.savetxt(root / name / "groundtruth.txt", boxes[part], delimiter=",", fmt="%d")
    return find_videos(root)


@pytest.fixture(scope="module")
def trunk():
    return load_weights("default")


def test_meta_loss_falls_and_the_weights_track(videos, trunk, tmp_path):
    rows, path = [], tmp_path / "tiny.safetensors"
    data = {"videos": [video.name for video in videos]}
    train(Job(TINY, SETTINGS, FromVideos(videos), data, trunk, path, on_row=rows.append))
    losses = [row["meta_loss"] for row in rows]
    assert np.median(losses[-20:]) < 0.8 * np.median(losses[:5])
    scores = mean_overlaps(RoamTracker(dataclasses.replace(TINY, weights=str(path)), device="cpu"), videos)
    assert set(scores) == {"a", "b"} and all(0 <= score <= 1 for score in scores.values())


def test_the_same_seed_gives_the_same_weights(videos, trunk, tmp_path):
    brief = dataclasses.replace(SETTINGS, clips=2, start_iterations=2, iterations=3)
    for name in ("one", "two"):
        train(Job(TINY, brief, FromVideos(videos), {}, trunk, tmp_path / f"{name}.safetensors"))
    first, second = (load_weights(str(tmp_path / f"{name}.safetensors")) for name in ("one", "two"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_search_scales_of_clips_spread_over_the_whole_range(videos, trunk):
    rng = np.random.default_rng(0)
    still = dataclasses.replace(SETTINGS, size_jitter=0.0)
    sides = []
    for _ in range(30):
        clip = draw_clip(videos, rng, TINY, still, trunk, length=1)
        sides.append(float(clip.sizes_cells[0].prod().sqrt()))
    # S = 81 px, stride 8: a target fills 81/8/s cells, s in [2, 8]
    assert 81 / 8 / 8 <= min(sides) < 1.6
    assert 3.4 < max(sides) <= 81 / 8 / 2


def test_a_clips_label_lies_where_the_target_is(videos, trunk):
    # a white spot on the mean colour: the features differ from the background's only around it
    rng = np.random.default_rng(1)
    frames, spot = videos[0].frames[:1], np.full((120, 160, 3), 127, np.uint8)
    spot[50:62, 70:82] = (255, 255, 255)
    path = frames[0].with_name("spot.png")
    Image.fromarray(spot).save(path)
    video = dataclasses.replace(videos[0], frames=(path,), boxes=np.array([[70.0, 50, 12, 12]]))
    plain = {**trunk, "whiten.weight": torch.eye(40)[:, :, None, None], "whiten.bias": torch.zeros(40)}
    inside = dataclasses.replace(SETTINGS, scale_range=1.0, size_jitter=0.0)  # the whole spot on the map
    for _ in range(5):
        clip = draw_clip([video], rng, DEFAULT, inside, plain, length=1)
        features = clip.features.float()[0]
        spread = (features - features.flatten(1).median(1).values[:, None, None]).abs().sum(0)
        spread[:3], spread[-3:], spread[:, :3], spread[:, -3:] = 0, 0, 0, 0  # the padding shows there
        spread = torch.where(spread > 0.3 * spread.max(), spread, 0)
        cells = torch.arange(spread.shape[0], dtype=torch.float32)
        found = torch.stack([(spread.sum(0) * cells).sum(), (spread.sum(1) * cells).sum()]) / spread.sum()
        assert (found - clip.centres_cells[0]).abs().max() < 1.5


def test_the_first_steps_meta_loss_keeps_its_second_derivative():
    model = dataclasses.replace(TINY.model, reduced_channels=2, filter_height=3, filter_width=3)
    update = dataclasses.replace(TINY.update, every_frames=1)
    config = dataclasses.replace(TINY, update=update, model=model)
    count, generator = canonical_shape(config).count, torch.Generator().manual_seed(0)
    exact = torch.tensor([[3.0, 3.0], [3.5, 2.5]], dtype=torch.float64)
    features = torch.randn(2, 40, 7, 7, generator=generator, dtype=torch.float64)
    sizes = torch.full((2, 2), 1.3, dtype=torch.float64)
    clip = Clip(features, exact, exact, sizes, sizes, torch.zeros(2))
    theta = torch.randn(count, generator=generator, dtype=torch.float64) * 0.1
    rates = torch.full((count,), 1e-3, dtype=torch.float64)

    def value(theta):
        theta = theta if theta.requires_grad else theta.clone().requires_grad_()
        return meta_losses(config, {"theta0": theta, "lambda0": rates}, clip, [0], steps=0)[0]

    point = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(point), point)
    for index in (0, 7, 81, 90, count - 1):
        step = torch.zeros_like(theta)
        step[index] = 1e-5
        difference = (value(theta + step) - value(theta - step)).item() / 2e-5
        assert gradient[index].item() == pytest.approx(difference, rel=1e-4)


def test_whitened_features_have_unit_covariance():
    generator = torch.Generator().manual_seed(0)
    mixed = torch.einsum(
        "ij,njyx->niyx", torch.randn(4, 4, generator=generator), torch.randn(8, 4, 9, 9, generator=generator)
    )
    weight, bias = whitening(mixed + 3, floor=0.0)
    white = torch.nn.functional.conv2d(mixed + 3, weight, bias).permute(1, 0, 2, 3).flatten(1)
    torch.testing.assert_close(torch.cov(white), torch.eye(4), atol=1e-3, rtol=0)
    assert white.mean(1).abs().max() < 1e-3


def test_folders_without_videos_or_with_missing_frames_are_named(tmp_path):
    with pytest.raises(DataError, match="has no video"):
        find_videos(tmp_path)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match=r"has 1 boxes, but .* has no images"):
        find_videos(tmp_path)


@NEEDS_BFLOAT16
def test_mixed_precision_gives_nearly_the_same_features_and_is_no_no_op(videos, trunk):
    drawn = {}
    for precision in ("float32", "bfloat16"):
        settings = dataclasses.replace(SETTINGS, precision=precision)
        drawn[precision] = draw_clip(videos, np.random.default_rng(0), TINY, settings, trunk, length=2)
    whole, mixed = (clip.features.float() for clip in drawn.values())
    assert 0 < (mixed - whole).square().mean().sqrt() < 0.05 * whole.square().mean().sqrt()
    with pytest.raises(ConfigError, match="float32 or bfloat16"):
        TrainingConfig(precision="half")

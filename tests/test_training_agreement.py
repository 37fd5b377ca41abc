"""Training adapts theta as tracking does: the same first step, the same updates on the same samples."""

import dataclasses

import numpy as np
import pytest
import torch

from roam_tracker.core import tracking
from roam_tracker.core.config import load_preset
from roam_tracker.core.engine import Reference
from roam_tracker.core.fast.engine import Fast
from roam_tracker.core.state import Sample
from roam_tracker.core.tracking import Model
from roam_tracker.core.update import is_kept
from roam_tracker.training.clips import Clip, draw_patches
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.loop import choose_futures
from roam_tracker.training.meta import meta_losses
from roam_tracker.training.parameters import model_weights, new_parameters
from roam_tracker.training.sources import Footage
from roam_tracker.weights import load_weights

pytestmark = pytest.mark.slow

DEFAULT = load_preset("default")
TINY = dataclasses.replace(
    DEFAULT,
    search=dataclasses.replace(DEFAULT.search, base_object_size=16.0),
    model=dataclasses.replace(DEFAULT.model, reduced_channels=4, filter_height=5, filter_width=5),
    optimizer=dataclasses.replace(DEFAULT.optimizer, hidden=4),
    update=dataclasses.replace(DEFAULT.update, guard_halvings=0),
)
TAU, BLOCKS = TINY.update.every_frames, 4
RATES = TrainingConfig(first_rates=(2e-3, 2e-3, 1e-4, 1e-4))  # of which no update diverges
SEVERAL = {"first_scales": (1.0, 0.8, 1.25), "first_rotations": (-20.0, 20.0), "first_flip": True}
BOX = (40.0, 50.0, 32.0, 24.0)


def preset(optimizer=(), model=(), **update):
    return dataclasses.replace(
        TINY,
        update=dataclasses.replace(TINY.update, **update),
        optimizer=dataclasses.replace(TINY.optimizer, **dict(optimizer)),
        model=dataclasses.replace(TINY.model, **dict(model)),
    )


def target(config, frame, monkeypatch):
    """An untrained model, its weights with a graph, its state after the first frame, and those samples."""
    weights = model_weights(config, RATES, new_parameters(config, RATES, torch.Generator().manual_seed(0)))
    plain = {name: value.detach() for name, value in weights.items()}
    model = Model(config, load_weights("default") | plain, torch.device("cpu"), Fast())
    with monkeypatch.context() as patch:
        seen = watched_lessons(model, patch)
        state = tracking.start(model, torch.from_numpy(frame), BOX)
    return model, weights, state, seen[0]


def watched_lessons(model, monkeypatch):
    """The samples of each step that the model takes from now on."""
    seen, whole = [], model.lesson
    monkeypatch.setattr(model, "lesson", lambda samples, *rest: seen.append(samples) or whole(samples, *rest))
    return seen


def loss_on(model, state, sample):
    """The loss of theta on one sample."""
    return model.learner.loss(state.theta, state.shape, model.lesson([sample], state.shape)).item()


def later_samples(first):
    """Samples of BLOCKS * TAU later frames: the first one's features changed, labels at random."""
    generator, made = torch.Generator().manual_seed(1), []
    for number in range(BLOCKS * TAU):
        noise = torch.randn(first.features.shape, generator=generator)
        x, y, w, h = torch.rand(4, generator=generator).tolist()
        made.append(
            Sample(
                first.features + 0.3 * noise,
                (3 + 4 * x, 3 + 4 * y),
                (1.5 + w, 1.5 + h),
                frame=number + 1,
            )
        )
    return made


def as_clip(first, later):
    samples = [*first, *later]
    features = torch.stack([sample.features for sample in samples])
    centres, sizes = (
        torch.tensor([getattr(sample, name) for sample in samples]) for name in ("centre_cells", "size_cells")
    )
    return Clip(features, centres, centres, sizes, sizes, torch.zeros(len(samples)), len(first))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"first_share": 0.2},
        {"decay": 0.1},
        {"decay": 0.05, "first_share": 0.4, "memory_stride": 2, "samples": 3},
        SEVERAL,
        {"first_share": 0.2, **SEVERAL},
        {"steps": 1},
        {"steps": 3, "memory_frames": 15},
        {"samples": 8},  # more than the first update has
        {"samples": 3, "memory_frames": 7},
        {"model": {"reduced_channels": 24}},  # features in the Fourier domain
    ],
    ids=str,
)
def test_updates_in_training_are_those_of_tracking(changes, moving_square, monkeypatch):
    config = preset(**changes)
    expected, losses = both_ways(config, *target(config, moving_square[0][0], monkeypatch))
    # in the Fourier domain gradients near 0 have rounding for a sign, which the optimizer sees
    np.testing.assert_allclose(losses, expected, rtol=1e-3 if "model" in changes else 1e-5)
    assert np.ptp(expected) > 0.01  # they tell the updates apart


def test_the_guard_of_training_is_that_of_tracking(moving_square, monkeypatch):
    guarded, bare = (preset(guard_halvings=halvings, guard_factor=0.4) for halvings in (3, 0))
    found = {}
    for config in (guarded, bare):
        model, weights, state, first = target(config, moving_square[0][0], monkeypatch)
        too_fast = weights["output.bias"] + 4
        weights = weights | {"output.bias": too_fast}
        model.weights["output.bias"] = too_fast.detach()
        found[config] = both_ways(config, model, weights, state, first)
    expected, losses = found[guarded]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert max(expected) < 5 and not max(found[bare][0]) < 50  # it was needed


def both_ways(config, model, weights, state, first):
    """The losses on one future frame of each block, as tracking adapts theta and as training does."""
    later, futures, expected = later_samples(first[0]), [4, 0, 2, 3], []
    for block, future in enumerate(futures):
        if block > 0:
            past = [sample for sample in later[: block * TAU] if is_kept(config.update, sample.frame)]
            past = tuple(past[-config.update.memory_frames :])
            state = tracking.update(model, dataclasses.replace(state, memory=past, frames=block * TAU))
        expected.append(loss_on(model, state, later[block * TAU + future]))
    losses = meta_losses(config, weights, as_clip(first, later), futures, steps=config.update.steps)
    return expected, losses.tolist()


def test_each_of_these_settings_changes_the_updates(moving_square, monkeypatch):
    # so that the test above could fail
    found = []
    several = {"first_share": 0.2}, {"decay": 0.1}, {"memory_stride": 2}, {"steps": 3}, {"samples": 8}
    for changes in ({}, *several):
        config = preset(**changes)
        _, weights, _, first = target(config, moving_square[0][0], monkeypatch)
        clip = as_clip(first, later_samples(first[0]))
        found.append(meta_losses(config, weights, clip, [0] * BLOCKS, steps=config.update.steps)[-1].item())
    assert np.abs(np.array(found[1:]) - found[0]).min() > 5e-5 * found[0]  # the two are compared to 1e-5


@pytest.mark.parametrize("crops", [{}, SEVERAL], ids=["one", "six"])
def test_the_first_step_of_training_is_that_of_tracking(crops, moving_square, monkeypatch):
    config = preset(**crops)
    model, weights, state, first = target(config, moving_square[0][0], monkeypatch)
    later = later_samples(first[0])
    for future in range(TAU):
        (loss,) = meta_losses(config, weights, as_clip(first, later), [future], steps=0)
        assert loss.item() == pytest.approx(loss_on(model, state, later[future]), rel=1e-5)


def test_a_clip_begins_with_the_crops_that_tracking_starts_on(moving_square, monkeypatch):
    config = preset(**SEVERAL)
    frame = moving_square[0][0]
    model, _, _, first = target(config, frame, monkeypatch)
    footage = Footage("square", (frame, frame), np.array([BOX, BOX]), np.zeros(2))
    still = TrainingConfig(shift=0.0, scale_range=0.0)
    patches, clip = draw_patches(footage, [0, 1], np.random.default_rng(0), config, still)
    assert clip.first == len(first) == 6
    for number, sample in enumerate(first):
        for name in ("centre", "size"):
            found = getattr(clip, f"{name}s_cells")[number].tolist()
            assert found == pytest.approx(getattr(sample, f"{name}_cells"), rel=1e-5), name
    features = features_of(model, patches[: clip.first])
    expected = torch.stack([sample.features for sample in first])
    if not torch.allclose(features, expected, atol=1e-3):  # half of the clips are mirrored
        features = features_of(model, patches[: clip.first].flip(3))
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def features_of(model, patches):
    return model.features_of(patches.contiguous(memory_format=torch.channels_last))


def test_the_first_frame_is_in_every_step_of_tracking_when_it_has_a_share(moving_square, monkeypatch):
    config = preset(first_share=0.2)
    model, _, state, first = target(config, moving_square[0][0], monkeypatch)
    batches = watched_lessons(model, monkeypatch)
    for frame in moving_square[0][1:11]:
        state, _, _ = tracking.step(model, state, torch.from_numpy(frame))
    assert len(batches) == 4  # two updates of two steps
    assert all(batch[0] is first[0] and len(batch) == 1 + config.update.samples for batch in batches)


class Watched(Reference):
    """The reference, with the features of each step."""

    def __init__(self):
        self.seen = []

    def loss_and_gradient(self, theta, shape, seen, *rest):
        self.seen.append(seen)
        return super().loss_and_gradient(theta, shape, seen, *rest)


def test_the_first_frame_is_in_every_step_of_training_when_it_has_a_share(moving_square, monkeypatch):
    for kept in (True, False):
        config = preset(first_share=0.2 * kept)
        _, weights, _, first = target(config, moving_square[0][0], monkeypatch)
        clip, engine = as_clip(first, later_samples(first[0])), Watched()
        meta_losses(config, weights, clip, [0] * BLOCKS, steps=2, engine=engine)
        assert [len(features) for features in engine.seen] == [5 + kept] * 2 * (BLOCKS - 1)
        assert all(torch.equal(features[0], first[0].features) == kept for features in engine.seen)


def test_futures_avoid_frames_that_hide_the_target_unless_a_block_has_no_other():
    hidden = np.array([[0.9, 0.1, 0.95, 0.69, 1.0], [0, 0, 0, 0, 0], [0.8, 0.9, 1, 1, 0.7]])
    rng = np.random.default_rng(0)
    drawn = [choose_futures(hidden, rng) for _ in range(200)]
    apart = [set(block) for block in zip(*drawn, strict=True)]
    assert apart == [{1, 3}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}]

"""The meta-training step to the letter, against loops over plain Python floats.

Sizes are tiny: K = 40 channels (the backbone's), C = 2 reduced ones, a map of 7 x 7 cells, filters of
3 x 3, tau = 2 frames and T = 3 meta losses. Nothing in the reference knows how to differentiate: its
gradient is written out, and everything else is a central difference.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image

from roam_tracker.core import response
from roam_tracker.core.config import OptimizerConfig, load_preset
from roam_tracker.core.optimizers import LstmOptimizer
from roam_tracker.core.theta import ThetaShape, filter_size
from roam_tracker.training import clips
from roam_tracker.training.clips import Clip, Video, draw_clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.meta import meta_losses

pytestmark = pytest.mark.slow

K, C, M, TAU, T = 40, 2, 7, 2, 3
ALPHA = 20 / 9  # of the label: wide enough for targets of one or two cells
SHAPE = ThetaShape(K, C, 3, 3)
DEFAULT = load_preset("paper-online")
CONFIG = dataclasses.replace(
    DEFAULT,
    model=dataclasses.replace(
        DEFAULT.model,
        reduced_channels=C,
        filter_height=3,
        filter_width=3,
        filter_factor=1.0,
        loss="energy",
        label_alpha=ALPHA,
    ),
    optimizer=dataclasses.replace(DEFAULT.optimizer, hidden=3, layers=2),
    update=dataclasses.replace(DEFAULT.update, every_frames=TAU, samples=TAU, memory_frames=2 * TAU),
)
FUTURES = [1, 0, 1]
CLIP_TENSORS = [field.name for field in dataclasses.fields(Clip) if field.name != "first"]


def random_clip(seed, side_cells=1.5):
    """Features of a few sizes, so that some gradients fall below the optimizer's knee at e^-10."""
    generator = torch.Generator().manual_seed(seed)
    frames = 1 + T * TAU
    features = 0.3 * torch.randn(frames, K, M, M, generator=generator, dtype=torch.float64)
    features[:, :4] *= 1e-7
    centres = 3 + torch.randn(frames, 2, generator=generator, dtype=torch.float64)
    noise = 0.2 * torch.randn(frames, 2, generator=generator, dtype=torch.float64)
    noise[0] = 0
    sizes = torch.full((frames, 2), side_cells, dtype=torch.float64)
    stretch = torch.exp(0.1 * torch.randn(frames, 2, generator=generator, dtype=torch.float64))
    stretch[0] = 1
    hidden = torch.zeros(frames, dtype=torch.float64)
    return Clip(features, centres, centres + noise, sizes, sizes * stretch, hidden)


def random_weights(config=CONFIG, seed=0):
    """theta(0), lambda(0) and omega, float64, ready for a derivative."""
    generator = torch.Generator().manual_seed(seed)
    weights = LstmOptimizer(config.optimizer).new_weights(generator)
    weights = {name: value.double() for name, value in weights.items()}
    bias = weights["output.bias"]
    weights["output.bias"] = torch.linspace(-6, -5, len(bias), dtype=torch.float64)
    weights["theta0"] = 0.3 * torch.randn(SHAPE.count, generator=generator, dtype=torch.float64)
    weights["lambda0"] = 0.002 * torch.rand(SHAPE.count, generator=generator, dtype=torch.float64)
    return {name: value.requires_grad_() for name, value in weights.items()}


# The reference: theta, rates and gradients are lists in the order of core/response.py.


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def reduced(theta, frame):
    """The 1x1 layer's output, padded by one ring of zeros."""
    maps = [[[0.0] * (M + 2) for _ in range(M + 2)] for _ in range(C)]
    for c in range(C):
        for y in range(M):
            for x in range(M):
                maps[c][y + 1][x + 1] = theta[K * C + c] + sum(
                    theta[c * K + k] * frame[k][y][x] for k in range(K)
                )
    return maps


def filter_index(c, dy, dx):
    return K * C + C + (c * 3 + dy) * 3 + dx


def reference_loss(theta, frames, labels, want_gradient=True):
    """Eqs. (1) and (6), cells weighted e^M over the label's energy, and the gradient of eq. (3)."""
    total, gradient = 0.0, [0.0] * len(theta)
    for frame, label in zip(frames, labels, strict=True):
        maps, size = reduced(theta, frame), sum(value**2 for row in label for value in row)
        for y in range(M):
            for x in range(M):
                answer = theta[-1] + sum(
                    theta[filter_index(c, dy, dx)] * maps[c][y + dy][x + dx]
                    for c in range(C)
                    for dy in range(3)
                    for dx in range(3)
                )
                off = answer - label[y][x]
                weight = math.exp(label[y][x]) / (size * len(frames))
                total += weight * off**2
                if not want_gradient:
                    continue
                push = 2 * weight * off  # dl / dR(x, y)
                gradient[-1] += push
                for c in range(C):
                    for dy in range(3):
                        for dx in range(3):
                            gradient[filter_index(c, dy, dx)] += push * maps[c][y + dy][x + dx]
                            row, column = y + dy - 1, x + dx - 1
                            if not (0 <= row < M and 0 <= column < M):
                                continue
                            through = push * theta[filter_index(c, dy, dx)]
                            gradient[K * C + c] += through
                            for k in range(K):
                                gradient[c * K + k] += through * frame[k][row][column]
    return total, gradient


def reference_labels(centres, sizes):
    """Eq. (2)."""
    return [
        [
            [math.exp(-ALPHA * (((x - x0) / sx) ** 2 + ((y - y0) / sy) ** 2)) for x in range(M)]
            for y in range(M)
        ]
        for (x0, y0), (sx, sy) in zip(centres.tolist(), sizes.tolist(), strict=True)
    ]


def reference_inputs(config, rates, gradient, theta, loss):
    """Eq. (4), one row for each coordinate."""
    rows = []
    for rate, g, value in zip(rates, gradient, theta, strict=True):
        row = [math.log(max(rate, 1e-12)) / 10 if config.log_rate_input else rate]
        if abs(g) > math.exp(-10):
            row += [math.log(abs(g) + 1e-6) / 10, math.copysign(1, g)]
        else:
            row += [-1.0, g * math.exp(10)]
        rows.append([*row, value, math.log(loss + 1e-6) if config.log_loss_input else loss])
    return rows


def reference_rates(config, omega, rows, memory):
    """Eq. (5): rates and memory after one step; memory is [layer][coordinate] -> (h, c)."""
    omega = {name: value.tolist() for name, value in omega.items()}
    groups, n = SHAPE.groups().tolist(), config.hidden
    rates, after = [], [[], []]
    for index, row in enumerate(rows):
        x = row
        for layer in range(config.layers):
            h, c = memory[layer][index]
            into, back, bias = (omega[f"layer{layer}.{part}"] for part in ("input", "recurrent", "bias"))
            gates = [
                bias[j]
                + sum(value * into[i][j] for i, value in enumerate(x))
                + sum(value * back[i][j] for i, value in enumerate(h))
                for j in range(4 * n)
            ]
            c = [
                sigmoid(gates[n + j]) * c[j] + sigmoid(gates[j]) * math.tanh(gates[2 * n + j])
                for j in range(n)
            ]
            x = [sigmoid(gates[3 * n + j]) * math.tanh(c[j]) for j in range(n)]
            after[layer].append((x, c))
        bias = omega["output.bias"]
        out = sum(value * weight for value, weight in zip(x, omega["output.weight"], strict=True))
        rates.append(sigmoid(out + bias[groups[index] if config.group_bias else 0]))
    return rates, after


def no_memory(config):
    return [[([0.0] * config.hidden, [0.0] * config.hidden)] * SHAPE.count for _ in range(config.layers)]


def moved(theta, rates, gradient):
    """Eq. (3)."""
    return [value - rate * g for value, rate, g in zip(theta, rates, gradient, strict=True)]


@dataclasses.dataclass
class Reference:
    """A clip followed by the reference: g, I and theta of every step, and the meta losses."""

    clip: Clip
    weights: dict

    def __post_init__(self):
        config = CONFIG.optimizer
        self.frames = self.clip.features.tolist()
        self.exact = reference_labels(self.clip.centres_cells, self.clip.sizes_cells)
        noisy = reference_labels(self.clip.noisy_centres_cells, self.clip.noisy_sizes_cells)
        weights = {name: value.detach() for name, value in self.weights.items()}
        self.theta0, self.lambda0 = weights["theta0"].tolist(), weights["lambda0"].tolist()
        self.first_gradient = reference_loss(self.theta0, self.frames[:1], self.exact[:1])[1]
        theta, rates = moved(self.theta0, self.lambda0, self.first_gradient), self.lambda0
        self.thetas, self.gradients, self.inputs, memory = [theta], [], [], no_memory(config)
        for block in range(1, T):
            seen = slice(1 + TAU * (block - 1), 1 + TAU * block)
            loss, gradient = reference_loss(theta, self.frames[seen], noisy[seen])
            rows = reference_inputs(config, rates, gradient, theta, loss)
            rates, memory = reference_rates(config, weights, rows, memory)
            theta = moved(theta, rates, gradient)
            self.thetas.append(theta)
            self.gradients.append(gradient)
            self.inputs.append(rows)

    def meta_loss(self, number, theta=None, *, want_gradient=False):
        """L(number) of eq. (7), number from 0, and its gradient by theta."""
        future = 1 + TAU * number + FUTURES[number]
        theta = self.thetas[number] if theta is None else theta
        return reference_loss(
            theta, self.frames[future : future + 1], self.exact[future : future + 1], want_gradient
        )

    def last_meta_loss(self, omega):
        """L(T) for another omega, with every g and I as they were: only O itself is gone through."""
        theta, memory = self.thetas[0], no_memory(CONFIG.optimizer)
        for gradient, rows in zip(self.gradients, self.inputs, strict=True):
            rates, memory = reference_rates(CONFIG.optimizer, omega, rows, memory)
            theta = moved(theta, rates, gradient)
        return self.meta_loss(T - 1, theta)[0]


@pytest.fixture(scope="module")
def reference():
    return Reference(random_clip(0), random_weights())


def losses_of(clip, weights, futures=FUTURES):
    return meta_losses(CONFIG, weights, clip, futures, steps=1)


def nudged(weights, name, index, by):
    copy = {key: value.detach().clone() for key, value in weights.items()}
    copy[name].view(-1)[index] += by
    return {key: value.requires_grad_() for key, value in copy.items()}


def slope(function, weights, name, index, size=1e-5):
    """Central difference of function(weights) along one number."""
    above, below = (function(nudged(weights, name, index, by)) for by in (size, -size))
    return (above - below) / (2 * size)


PAPER = OptimizerConfig(hidden=3)  # rate and loss as they are, one output bias


@pytest.mark.parametrize("config", [PAPER, CONFIG.optimizer], ids=["paper", "default"])
def test_two_updates_equal_equations_2_to_6_in_loops(config):
    clip, weights = random_clip(1), random_weights(dataclasses.replace(CONFIG, optimizer=config))
    weights = {name: value.detach() for name, value in weights.items()}
    optimizer = LstmOptimizer(config)
    theta, rates = weights["theta0"], weights["lambda0"]
    state = optimizer.init(rates, SHAPE.groups())
    ours, our_rates, memory = theta.tolist(), rates.tolist(), no_memory(config)
    for first in (1, 3):  # the second update carries the hidden state on
        batch = slice(first, first + 2)
        labels = response.gaussian_labels(clip.centres_cells[batch], clip.sizes_cells[batch], M, ALPHA)
        loss, gradient = response.loss_and_gradient(theta, SHAPE, clip.features[batch], labels, "energy")
        theta, state = optimizer.step(weights, state, theta, gradient, loss)
        by_hand = reference_labels(clip.centres_cells[batch], clip.sizes_cells[batch])
        our_loss, our_gradient = reference_loss(ours, clip.features[batch].tolist(), by_hand)
        rows = reference_inputs(config, our_rates, our_gradient, ours, our_loss)
        our_rates, memory = reference_rates(config, weights, rows, memory)
        ours = moved(ours, our_rates, our_gradient)
        assert any(abs(g) < math.exp(-10) for g in our_gradient)  # both sides of the knee were met
        assert loss.item() == pytest.approx(our_loss, rel=1e-10)
        for found, expected in ((gradient, our_gradient), (state.rates, our_rates), (theta, ours)):
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-13)


def test_the_meta_losses_are_those_of_the_loops(reference):
    losses = losses_of(reference.clip, reference.weights)
    expected = [reference.meta_loss(number)[0] for number in range(T)]
    np.testing.assert_allclose(losses.detach(), expected, rtol=1e-8)


OMEGA = (
    ("layer0.input", 2),
    ("layer0.recurrent", 4),  # only the hidden state that the first update left makes this one count
    ("layer0.bias", 7),
    ("layer1.input", 5),
    ("layer1.recurrent", 1),
    ("layer1.bias", 10),
    ("output.weight", 1),
    ("output.bias", 0),
)


def test_a_later_meta_loss_reaches_omega_with_gradient_and_inputs_held_constant(reference):
    loss, weights = losses_of(reference.clip, reference.weights)[-1], reference.weights
    found = torch.autograd.grad(loss, [weights[name] for name, _ in OMEGA])
    for (name, index), gradient in zip(OMEGA, found, strict=True):
        by_hand = slope(reference.last_meta_loss, weights, name, index, size=1e-3)
        assert by_hand != 0
        assert gradient.view(-1)[index].item() == pytest.approx(by_hand, rel=1e-5), name


def test_the_whole_derivative_by_omega_is_another_one(reference):
    # so that the test above could fail: here g and I follow omega
    def whole(weights):
        return losses_of(reference.clip, weights)[-1].item()

    name, index = "output.bias", 0
    with_all = slope(whole, reference.weights, name, index)
    held = slope(reference.last_meta_loss, reference.weights, name, index)
    assert abs(with_all - held) > 1e-2 * abs(held)


def test_the_first_meta_loss_reaches_theta0_through_the_second_derivative(reference):
    (gradient,) = torch.autograd.grad(
        losses_of(reference.clip, reference.weights)[0], reference.weights["theta0"]
    )

    def first_meta_loss(weights):
        theta = weights["theta0"].tolist()
        step = reference_loss(theta, reference.frames[:1], reference.exact[:1])[1]
        return reference.meta_loss(0, moved(theta, reference.lambda0, step))[0]

    first_order = reference.meta_loss(0, want_gradient=True)[1]  # as if theta(1) - theta(0) were constant
    chosen = (6, 50, K * C, K * C + C + 4, SHAPE.count - 1)  # every group of theta
    for index in chosen:
        by_hand = slope(first_meta_loss, reference.weights, "theta0", index)
        assert gradient[index].item() == pytest.approx(by_hand, rel=1e-5)
    off = np.abs(gradient.numpy() - first_order)[list(chosen)] / np.abs(first_order)[list(chosen)]
    assert off.max() > 0.05


def test_each_meta_loss_reaches_lambda0_by_the_first_step_alone(reference):
    # theta(t) = theta(0) - lambda(0) g(0) - (steps whose g and I are constant):
    # dL(t)/dlambda(0) = -g(0) dL(t)/dtheta(t), along the identity path of eq. (3)
    losses = losses_of(reference.clip, reference.weights)
    for number in range(T):
        (found,) = torch.autograd.grad(losses[number], reference.weights["lambda0"], retain_graph=True)
        by_theta = reference.meta_loss(number, want_gradient=True)[1]
        expected = [-g * d for g, d in zip(reference.first_gradient, by_theta, strict=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-13)


# Random Filter Scaling, eq. (9)


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Draws clips of one video of noise, 12 frames, with a target of 30 x 20 px; no network is run."""
    noise = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "frame.png")
    monkeypatch.setattr(clips, "extract", lambda spec, weights, patches: patches[:, :1, :1, :1])
    video = Video("noise", (tmp_path / "frame.png",) * 12, np.tile([30.0, 30, 30, 20], (12, 1)))
    small = dataclasses.replace(
        DEFAULT, search=dataclasses.replace(DEFAULT.search, base_object_size=16.0)
    )  # S = 81 px, stride 8
    rng = np.random.default_rng(0)

    def draw(scale_range):
        training = TrainingConfig(scale_range=scale_range, size_jitter=0.0)
        return draw_clip([video], rng, small, training, {}, length=3)

    return draw


def search_scales(clip):
    """s_V of each frame: a target fills S / (stride s_V) cells."""
    return (81 / 8 / clip.sizes_cells.prod(1).sqrt()).tolist()


@pytest.mark.parametrize("gamma", [3.0, 1.0])
def test_search_scales_lie_within_gamma_of_s_and_are_drawn_once_a_video(draw, gamma):
    scales = [search_scales(draw(gamma)) for _ in range(40)]
    for of_clip in scales:
        assert max(of_clip) - min(of_clip) < 1e-4
        assert 5 - gamma - 1e-4 <= of_clip[0] <= 5 + gamma + 1e-4
    firsts = [of_clip[0] for of_clip in scales]
    assert min(firsts) < 5 - 0.8 * gamma and max(firsts) > 5 + 0.8 * gamma


def test_filter_sizes_differ_within_a_batch_and_without_random_scaling_do_not(draw):
    def filters(gamma):
        batch = [draw(gamma) for _ in range(4)]
        return {filter_size(tuple(clip.sizes_cells[0].tolist()), 1.5, 11) for clip in batch}

    assert len(filters(3.0)) >= 2
    assert len(filters(0.0)) == 1


# Videos of a batch, and frames of a clip, that must not touch each other


def test_two_videos_of_a_batch_do_not_touch_each_others_theta():
    small, large, weights = random_clip(2), random_clip(3, side_cells=3.5), random_weights()
    names = list(weights)

    def gradients(loss):
        return dict(zip(names, torch.autograd.grad(loss, [weights[name] for name in names]), strict=True))

    alone = losses_of(small, weights)
    apart = [gradients(losses_of(clip, weights).sum()) for clip in (small, large)]
    together = losses_of(large, weights), losses_of(small, weights)
    assert torch.equal(together[1], alone)
    for name, total in gradients(together[0].sum() + together[1].sum()).items():
        torch.testing.assert_close(total, apart[0][name] + apart[1][name], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("number", range(T))
def test_a_meta_loss_sees_of_its_block_its_future_frame_and_nothing_later(number):
    clip, weights = random_clip(4), random_weights()
    future = 1 + TAU * number + FUTURES[number]
    unseen = [frame for frame in range(1 + TAU * number, 1 + TAU * T) if frame != future]
    losses = losses_of(clip, weights)

    def disturbed(frames):
        """The losses when other features and labels stand in these frames."""
        parts = {name: getattr(clip, name) for name in CLIP_TENSORS}
        parts = {name: values.clone() for name, values in parts.items()}
        for values in parts.values():
            values[frames] += 0.5
        return losses_of(dataclasses.replace(clip, **parts), weights)

    assert torch.equal(disturbed(unseen)[number], losses[number])
    assert not torch.equal(disturbed([future])[number], losses[number])
    if number + 1 < T:  # all frames of the block are what the next update learns from
        for frame in range(1 + TAU * number, 1 + TAU * (number + 1)):
            assert not torch.equal(disturbed([frame])[number + 1], losses[number + 1])


def test_a_meta_loss_is_that_of_the_exact_label_and_an_update_learns_from_the_noisy_one():
    clip, weights = random_clip(5), random_weights()
    losses = losses_of(clip, weights)
    for name in ("noisy_centres_cells", "noisy_sizes_cells"):
        changed = losses_of(dataclasses.replace(clip, **{name: getattr(clip, name) + 0.5}), weights)
        assert changed[0] == losses[0]
        assert (changed[1:] != losses[1:]).all()


def test_labels_of_its_own_are_no_labels_of_the_clip():
    clip, weights = random_clip(4), random_weights()
    elsewhere = dataclasses.replace(clip, noisy_centres_cells=clip.noisy_centres_cells + 0.7)
    config = dataclasses.replace(CONFIG, update=dataclasses.replace(CONFIG.update, miss_ratio=0.0))
    own, told = (
        [meta_losses(config, weights, each, FUTURES, steps=2, own_labels=own) for each in (clip, elsewhere)]
        for own in (True, False)
    )
    assert torch.equal(own[0], own[1])
    assert not torch.equal(told[0], told[1])
    assert not torch.equal(own[0], told[0])


def test_with_labels_of_its_own_a_clip_of_unsure_frames_is_never_learned_from():
    # nothing is seen after the first frame: only the biases respond, less than a target does
    clip, weights = random_clip(4), random_weights()
    features = clip.features.clone()
    features[1:] *= 1e-3
    clip = dataclasses.replace(clip, features=features)
    config = dataclasses.replace(CONFIG, update=dataclasses.replace(CONFIG.update, miss_ratio=1.0))
    never = meta_losses(config, weights, clip, FUTURES, steps=0)
    assert torch.equal(meta_losses(config, weights, clip, FUTURES, steps=2, own_labels=True), never)
    assert not torch.equal(meta_losses(config, weights, clip, FUTURES, steps=2), never)

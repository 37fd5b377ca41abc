"""ROAM in one file: a tracker whose learning rates are predicted by a small LSTM.

    python examples/roam_minimal.py FOLDER x,y,w,h      # images in the order of their names; boxes in px

T. Yang et al., ROAM: Recurrently Optimizing Tracking Model, CVPR 2020. Equations and sections are the
paper's. The weights, the backbone and the crop come from the package, and so does the place of each
parameter in theta; everything else is here, with the settings of the preset `default`. The boxes are
those of `RoamTracker("default", plain=True)`.
"""

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.backbone import backbone_spec, extract, map_size, patch_size
from roam_tracker.core.config import load_preset
from roam_tracker.core.search import crop
from roam_tracker.core.theta import ThetaShape, start_parameters
from roam_tracker.images import to_rgb
from roam_tracker.weights import load_weights

PRESET = load_preset("default")
WEIGHTS = load_weights(PRESET.weights)  # theta(0), lambda(0), the LSTM, the backbone
BACKBONE = backbone_spec(PRESET.model.backbone)  # one feature cell for each 8 px of a patch

ROI = 5.0  # side of the search region over sqrt(w h) of the target
PATCH = patch_size(BACKBONE, ROI * 48)  # px, to which it is resized; a target of 48 x 48 px keeps its size
SMALL_PATCH = patch_size(BACKBONE, 3 * 48)  # of the crops that the size is read from
M = map_size(BACKBONE, PATCH)  # cells along a side of the response map
MIDDLE = (M - 1) / 2  # the cell that looks at the patch's centre
ALPHA = 20.0  # of eq. (2)
TAU, STEPS = 5, 2  # an update every TAU frames, of so many gradient steps
MEMORY, N = 10, 5  # frames that are remembered, and those that a step sees of them
FIRST_SHARE = 0.17  # weight of the first frame in every step
MISS, AMBIGUOUS = 0.2, 0.7  # frames with a lower peak, or a higher second peak, are not learned from
SCALES = (1.0, 0.9091, 1.1)  # at which the size is read
MOTION = 1.2  # std of the motion map over sqrt(w h)


class Sample(NamedTuple):
    """What is remembered of a frame; lengths in feature cells."""

    features: Tensor  # (K, M, M)
    centre: tuple[float, float]  # x, y of the target
    size: tuple[float, float]  # w, h


@dataclass
class Target:
    """All that is known of the target; it changes from frame to frame."""

    x: float  # centre and size in px
    y: float
    w: float
    h: float
    theta: Tensor  # the parameters of the response model, one vector
    shape: ThetaShape  # where they lie in it
    rates: Tensor  # lambda of the last step, one for each parameter
    first: Sample
    first_peak: float
    lstm: list[tuple[Tensor, Tensor]]  # h and c of each layer, one row for each parameter
    memory: list[Sample] = field(default_factory=list)
    frames: int = 0


# The response model (section 3.1)


def respond(theta: Tensor, shape: ThetaShape, features: Tensor) -> Tensor:
    """R(F; theta): a 1x1 reduction, then a filter of about the target's size. (n, K, M, M) to (n, M, M)."""
    reduction, reduction_bias, filters, bias = shape.split(theta)
    reduced = F.conv2d(features, reduction, reduction_bias)
    return F.conv2d(reduced, filters, bias, padding=(shape.height // 2, shape.width // 2))[:, 0]


def label(sample: Sample) -> Tensor:
    """Eq. (2): a Gaussian on the target, (M, M)."""
    cells = torch.arange(M)
    across = (cells - sample.centre[0]) / sample.size[0]
    down = (cells - sample.centre[1]) / sample.size[1]
    return torch.exp(-ALPHA * (down[:, None] ** 2 + across[None, :] ** 2))


def update_loss(theta: Tensor, shape: ThetaShape, samples: list[Sample], shares: list[float]) -> Tensor:
    """Eqs. (1) and (6): squared distances to the labels, weighted e^M, over the label's own energy."""
    responses = respond(theta, shape, torch.stack([sample.features for sample in samples]))
    labels = torch.stack([label(sample) for sample in samples])
    losses = (labels.exp() * (responses - labels) ** 2).sum((1, 2)) / (labels**2).sum((1, 2))
    return losses @ torch.tensor(shares)


# The optimizer (section 3.2)


def lstm_cell(layer: int, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One layer of the LSTM; every parameter is one row, and all rows share its weights."""
    from_input, recurrent, bias = (WEIGHTS[f"layer{layer}.{name}"] for name in ("input", "recurrent", "bias"))
    enter, forget, candidate, leave = (x @ from_input + h @ recurrent + bias).chunk(4, dim=1)
    c = forget.sigmoid() * c + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * c.tanh(), c


def predict_rates(
    target: Target, gradient: Tensor, loss: Tensor
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Eqs. (4) and (5): the rate of each parameter from its last rate, gradient, value, and the loss.

    A gradient enters by its logarithm and sign, a tiny one as it is.
    """
    size, knee = gradient.abs(), math.exp(-10)
    columns = {
        "rate": torch.log(target.rates.clamp_min(1e-12)) / 10,
        "gradient_size": torch.where(size > knee, torch.log(size + 1e-6) / 10, -1.0),
        "gradient_sign": torch.where(size > knee, gradient.sign(), gradient / knee),
        "theta": target.theta,
        "loss": torch.log(loss + 1e-6).expand_as(target.theta),
    }
    x, states = torch.stack(list(columns.values()), dim=1), []
    for layer, (h, c) in enumerate(target.lstm):
        x, c = lstm_cell(layer, x, h, c)
        states.append((x, c))
    bias = WEIGHTS["output.bias"][target.shape.groups()]
    return torch.sigmoid(x @ WEIGHTS["output.weight"] + bias), states


def loss_and_gradient(
    theta: Tensor, shape: ThetaShape, samples: list[Sample], shares: list[float]
) -> tuple[Tensor, Tensor]:
    """l of eq. (6) and its gradient in theta."""
    with torch.enable_grad():
        point = theta.clone().requires_grad_()
        loss = update_loss(point, shape, samples, shares)
        return loss.detach(), torch.autograd.grad(loss, point)[0]


def learn(target: Target, samples: list[Sample]) -> None:
    """Eq. (3): theta' = theta - lambda * g. A step that raises the loss is shortened, at last undone."""
    samples = [target.first, *samples]
    shares = [FIRST_SHARE] + [(1 - FIRST_SHARE) / (len(samples) - 1)] * (len(samples) - 1)
    loss, gradient = loss_and_gradient(target.theta, target.shape, samples, shares)
    rates, states = predict_rates(target, gradient, loss)
    step = -rates * gradient
    for _ in range(5):
        if update_loss(target.theta + step, target.shape, samples, shares) <= loss:
            target.theta, target.rates, target.lstm = target.theta + step, rates, states
            return
        step = 0.4 * step


# Tracking (section 4)


def features_of(frame: Tensor, x: float, y: float, sides: list[float], patch: int) -> Tensor:
    """Feature maps (n, K, ., .) of square regions around x, y with those sides in px."""
    centres = torch.tensor([[x, y]] * len(sides), dtype=torch.float64)
    patches = crop(frame, centres, torch.tensor(sides), patch, BACKBONE)
    return extract(BACKBONE, WEIGHTS, patches)


@torch.no_grad()
def start(frame: Tensor, x: float, y: float, w: float, h: float) -> Target:
    """theta(1) is one step from the learned theta(0) with the learned rates lambda(0)."""
    x, y, side = x + w / 2, y + h / 2, ROI * math.sqrt(w * h)
    per_px = PATCH / BACKBONE.stride / side  # feature cells for each px of the frame
    size = w * per_px, h * per_px
    begin = start_parameters(PRESET, WEIGHTS, size, M)  # the filter resized to the target (section 5)
    first = Sample(features_of(frame, x, y, [side], PATCH)[0], (MIDDLE, MIDDLE), size)
    _, gradient = loss_and_gradient(begin.theta, begin.shape, [first], [1.0])
    theta = begin.theta - begin.rates * gradient
    peak = float(respond(theta, begin.shape, first.features[None]).max())
    zeros = torch.zeros(begin.shape.count, 20)
    return Target(x, y, w, h, theta, begin.shape, begin.rates, first, peak, [(zeros, zeros)] * 2)


@torch.no_grad()
def update(target: Target, frame: Tensor) -> tuple[float, float, float, float]:
    """The target's box x, y, w, h in the next frame; every TAU frames the model learns."""
    x, y, w, h = target.x, target.y, target.w, target.h
    side = ROI * math.sqrt(w * h)
    per_px = PATCH / BACKBONE.stride / side

    # where the response, under a motion map that doubts large movement, is highest
    features = features_of(frame, x, y, [side], PATCH)
    response = respond(target.theta, target.shape, features)[0]
    line = torch.exp(-0.5 * ((torch.arange(M) - MIDDLE) / (MOTION * math.sqrt(w * h) * per_px)) ** 2)
    masked = response * line[:, None] * line[None, :]
    row, column = divmod(int(masked.argmax()), M)
    target.x += (column + between(masked[row], column) - MIDDLE) / per_px
    target.y += (row + between(masked[:, column], row) - MIDDLE) / per_px

    # how large: the top of a parabola through the peaks at three scales
    sides = [side * scale * SMALL_PATCH / PATCH for scale in SCALES]
    crops = features_of(frame, target.x, target.y, sides, SMALL_PATCH)
    same, smaller, larger = respond(target.theta, target.shape, crops).amax((1, 2)).tolist()
    growth = math.exp(top(smaller, same, larger) * math.log(SCALES[-1]))
    height, width = frame.shape[:2]
    target.x, target.y = min(max(target.x, 0.0), width), min(max(target.y, 0.0), height)
    target.w, target.h = min(max(w * growth, 4.0), width), min(max(h * growth, 4.0), height)

    # remember the frame if the target is seen in it, and no other as well
    others = response.clone()
    reach_x, reach_y = math.ceil(0.6 * w * per_px), math.ceil(0.6 * h * per_px)
    others[max(0, row - reach_y) : row + reach_y + 1, max(0, column - reach_x) : column + reach_x + 1] = 0
    alone = others.max() <= AMBIGUOUS * response[row, column]
    if alone and response.max() >= MISS * target.first_peak:
        centre = MIDDLE + (target.x - x) * per_px, MIDDLE + (target.y - y) * per_px
        target.memory.append(Sample(features[0], centre, (target.w * per_px, target.h * per_px)))
        target.memory = target.memory[-MEMORY:]
    target.frames += 1
    if target.frames % TAU == 0 and target.memory:
        learn(target, target.memory[:N])  # the oldest
        learn(target, target.memory[-N:])  # the newest
    return target.x - target.w / 2, target.y - target.h / 2, target.w, target.h


def top(before: float, middle: float, after: float) -> float:
    """Where between -1 and 1 the parabola through three values is highest."""
    curvature = before - 2 * middle + after
    if curvature >= 0:
        return float(after > before) - float(after < before)
    return min(max(0.5 * (before - after) / curvature, -1.0), 1.0)


def between(line: Tensor, index: int) -> float:
    """How far beside a highest cell the response is highest, by the parabola through its neighbours."""
    if not 0 < index < M - 1:
        return 0.0
    before, middle, after = line[index - 1 : index + 2].tolist()
    curvature = before - 2 * middle + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0


def main(folder: str, box: str) -> None:
    """Print x,y,w,h for each image of a folder."""
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in (".jpg", ".png"))
    frames = (torch.from_numpy(to_rgb(path)) for path in paths)
    target = start(next(frames), *(float(value) for value in box.split(",")))
    print(box)
    for frame in frames:
        print(",".join(f"{value:.2f}" for value in update(target, frame)))


if __name__ == "__main__":
    main(*sys.argv[1:])

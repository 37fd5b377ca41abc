"""Training of the box head: pairs of a first and a later frame, drawn from videos and stills."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core import box_head
from roam_tracker.core.tracking import Model
from roam_tracker.errors import DataError
from roam_tracker.images import to_rgb
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.sources import ClipSource, Footage

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadTraining:
    """How pairs are drawn and the head is trained."""

    clips: int = 6000
    length: int = 40  # frames of a clip
    pairs: int = 10  # later frames of a clip that are compared with its first one
    size_noise: float = 0.13  # std of the log of the believed size over the true one
    ratio_noise: float = 0.1  # std of the log of the root of the believed ratio w/h over the true one
    place_noise: float = 0.09  # std of the found place, in sides of the believed box
    shift: float = 0.9  # largest shift of the search region from the target, in target sides
    most_hidden: float = 0.4  # frames whose target is hidden more are left out
    smallest_px: float = 6.0  # side of the target in the first frame; in later ones two thirds of it
    iterations: int = 5000
    batch: int = 48
    rate: float = 2e-3  # the highest of ADAM's one cycle
    decay: float = 1e-3  # of the weights
    grain: float = 0.05  # std of noise in the features, times a normal deviate of a batch
    beta: float = 0.05  # where the smooth L1 loss turns from squares to lines
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Windows of first frames and of later ones; `of` says which first one a later one belongs to."""

    firsts: Tensor  # (m, K, S, S) float16, the target in the middle
    first_sizes: Tensor  # (m, 2) w, h in cells
    of: Tensor  # (n,) int64
    windows: Tensor  # (n, K, S, S) float16
    believed: Tensor  # (n, 4) centre x, y from the middle of the window, w, h in cells
    true: Tensor  # (n, 4) the same of the target


def draw_pairs(source: ClipSource, model: Model, settings: HeadTraining, log: Callable[[str], None]) -> Pairs:
    """Draw all pairs of a run, each clip from the seed and its number.

    A clip whose target is too small or hidden at first, or whose data cannot be read, is left out; the latter
    is named. Raises DataError when no pair is left.
    """
    firsts: list[Tensor] = []
    windows: list[Tensor] = []
    sizes: list[Numbers] = []
    believed: list[Numbers] = []
    true: list[Numbers] = []
    of: list[int] = []
    for number in range(settings.clips):
        rng = np.random.default_rng([settings.seed, number])
        try:
            footage = source.draw(rng, settings.length, TrainingConfig())
            found = _pairs_of(footage, rng, model, settings)
        except DataError as error:
            log(str(error))
            continue
        if found is None:
            continue
        first, size, seen, boxes = found
        of += [len(firsts)] * len(seen)
        firsts.append(first)
        sizes.append(size)
        windows += seen
        believed += [each[0] for each in boxes]
        true += [each[1] for each in boxes]
        if (number + 1) % 500 == 0:
            log(f"{number + 1} of {settings.clips} clips, {len(of)} pairs")
    if not of:
        raise DataError("No clip shows a target that is large enough and not hidden. Give more footage.")
    return Pairs(
        torch.stack(firsts),
        torch.tensor(sizes),
        torch.tensor(of),
        torch.stack(windows),
        torch.tensor(believed),
        torch.tensor(true),
    )


@torch.no_grad()
def _pairs_of(
    footage: Footage, rng: np.random.Generator, model: Model, settings: HeadTraining
) -> tuple[Tensor, Numbers, list[Tensor], list[tuple[Numbers, Numbers]]] | None:
    """First window, its target's size, later windows, and believed and true boxes in them."""
    later = 1 + np.sort(rng.choice(settings.length - 1, settings.pairs, replace=False))
    flip = bool(rng.integers(2))

    def frame(number: int) -> tuple[Tensor, Numbers]:
        image = footage.frames[number]
        pixels = torch.from_numpy(
            np.ascontiguousarray(image if isinstance(image, np.ndarray) else to_rgb(image))
        )
        x, y, w, h = footage.boxes[number].tolist()
        return (pixels.flip(1), (pixels.shape[1] - x - w, y, w, h)) if flip else (pixels, (x, y, w, h))

    _, _, w, h = footage.boxes[0].tolist()
    if min(w, h) < settings.smallest_px or footage.hidden[0] > settings.most_hidden:
        return None
    pixels, (x, y, w, h) = frame(0)
    side, middle = model.region_side((w, h)), (model.map_size - 1) / 2
    features = model.features(pixels, (x + w / 2, y + h / 2), [side])
    first, _ = box_head.window(features, torch.tensor([[middle, middle]]))
    size = (model.cells(w, side), model.cells(h, side))
    seen: list[Tensor] = []
    boxes: list[tuple[Numbers, Numbers]] = []
    for number in later.tolist():
        _, _, w, h = footage.boxes[number].tolist()
        if min(w, h) < settings.smallest_px * 2 / 3 or footage.hidden[number] > settings.most_hidden:
            continue
        pixels, (x, y, w, h) = frame(number)
        root = math.sqrt(w * h)
        scale = math.exp(rng.normal(0, settings.size_noise))
        ratio = math.sqrt(w / h) * math.exp(rng.normal(0, settings.ratio_noise))
        side = model.region_side((root * scale, root * scale))
        off = rng.uniform(-settings.shift, settings.shift, 2) * root
        features = model.features(pixels, (x + w / 2 + off[0], y + h / 2 + off[1]), [side])
        believed = np.array(
            [model.cells(root * scale * ratio, side), model.cells(root * scale / ratio, side)]
        )
        place = np.array([middle - model.cells(off[0], side), middle - model.cells(off[1], side)])
        found = place + rng.normal(0, settings.place_noise, 2) * believed
        cut, at = box_head.window(features, torch.tensor(found[None], dtype=torch.float32))
        seen.append(cut[0].half())
        x_at, y_at = at[0].tolist()
        dx, dy = (place - found).tolist()
        true = (x_at + dx, y_at + dy, model.cells(w, side), model.cells(h, side))
        boxes.append(((x_at, y_at, *believed.tolist()), true))
    return (first[0].half(), size, seen, boxes) if seen else None


def new_head(channels: int, seed: int) -> dict[str, Tensor]:
    """An untrained head, whose first answer is that nothing changes."""
    generator = torch.Generator().manual_seed(seed)
    weights, shapes = {}, box_head.weight_shapes(channels)
    for name, shape in shapes.items():
        bound = 1 / math.sqrt(math.prod(shapes[name.replace("bias", "weight")][1:]))
        drawn = (2 * torch.rand(shape, generator=generator) - 1) * bound
        weights[name] = (torch.zeros(shape) if "answer" in name else drawn).requires_grad_()
    return weights


def train_head(
    pairs: Pairs, settings: HeadTraining, log: Callable[[str], None], held: Pairs | None = None
) -> dict[str, Tensor]:
    """The weights of a head trained on the pairs; `log` is told every 500 steps, of held-back pairs too."""
    head = new_head(pairs.windows.shape[1], settings.seed)
    adam = torch.optim.AdamW(head.values(), settings.rate, weight_decay=settings.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        adam, settings.rate, total_steps=settings.iterations, pct_start=0.1
    )
    generator = torch.Generator().manual_seed(settings.seed)
    losses = []
    for step in range(1, settings.iterations + 1):
        chosen = torch.randint(len(pairs.of), (settings.batch,), generator=generator)
        grain = settings.grain * torch.randn((), generator=generator).abs()
        answers = _answers(
            head, pairs, chosen, grain * torch.randn(pairs.windows[chosen].shape, generator=generator)
        )
        believed, true = pairs.believed[chosen], pairs.true[chosen]
        off = 2 * F.smooth_l1_loss(answers, wanted(believed, true), beta=settings.beta)
        loss = off + 0.5 * (1 - overlaps(corrected(believed, answers), true)).mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.values(), 1.0)
        adam.step()
        cycle.step()
        losses.append(float(loss.detach()))
        if step % 500 == 0 or step == settings.iterations:
            told = f"step {step}: loss {np.mean(losses[-500:]):.4f}"
            if held is not None:
                before, after = scores(head, held)
                told += f"; held-back pairs: overlap {before:.3f} before, {after:.3f} after"
            log(told)
    return {name: value.detach() for name, value in head.items()}


def _answers(head: dict[str, Tensor], pairs: Pairs, chosen: Tensor, noise: Tensor | float = 0.0) -> Tensor:
    of = pairs.of[chosen]
    sizes, believed = pairs.first_sizes[of], pairs.believed[chosen]
    first = box_head.look(head, pairs.firsts[of].float(), torch.zeros_like(sizes), sizes)
    now = box_head.look(head, pairs.windows[chosen].float() + noise, believed[:, :2], believed[:, 2:])
    return box_head.corrections(head, first, now)


@torch.no_grad()
def scores(head: dict[str, Tensor], pairs: Pairs) -> tuple[float, float]:
    """Mean overlap of the believed boxes with the true ones, and of the corrected ones."""
    answers = torch.cat([_answers(head, pairs, part) for part in torch.arange(len(pairs.of)).split(256)])
    before, after = pairs.believed, corrected(pairs.believed, answers)
    return float(overlaps(before, pairs.true).mean()), float(overlaps(after, pairs.true).mean())


def wanted(believed: Tensor, true: Tensor) -> Tensor:
    """The answers (n, 4) that turn believed boxes into the true ones, see `box_head.corrections`."""
    return torch.cat(
        [(true[:, :2] - believed[:, :2]) / believed[:, 2:], (true[:, 2:] / believed[:, 2:]).log()], 1
    )


def corrected(believed: Tensor, answers: Tensor) -> Tensor:
    """The boxes (n, 4), centre and size, after the answers."""
    sizes = believed[:, 2:]
    return torch.cat([believed[:, :2] + answers[:, :2] * sizes, sizes * answers[:, 2:].exp()], 1)


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """(n,) intersection over union of boxes (n, 4), centre x, y and size w, h."""
    low = torch.maximum(one[:, :2] - one[:, 2:] / 2, other[:, :2] - other[:, 2:] / 2)
    high = torch.minimum(one[:, :2] + one[:, 2:] / 2, other[:, :2] + other[:, 2:] / 2)
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (one[:, 2:].prod(1) + other[:, 2:].prod(1) - shared)

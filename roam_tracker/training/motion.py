"""Smooth random paths of made clips: where a thing is, how large, how turned, frame by frame."""

import numpy as np
from numpy.typing import NDArray

Path1D = NDArray[np.float64]


def drift(rng: np.random.Generator, length: int, speed: float, memory: float = 0.85) -> Path1D:
    """(length,) a path from 0 whose steps have std `speed` a frame and change slowly (AR(1), `memory`)."""
    fresh = rng.normal(0, speed, length)
    steps = np.empty(length)
    steps[0] = fresh[0]
    for k in range(1, length):
        steps[k] = memory * steps[k - 1] + np.sqrt(1 - memory**2) * fresh[k]
    path: Path1D = np.cumsum(steps) - steps[0]
    return path


def folded(path: Path1D, low: float | Path1D, high: float | Path1D) -> Path1D:
    """The path kept within [low, high] by mirroring it at the ends."""
    span = np.maximum(np.asarray(high) - low, 1e-9)
    turns = np.mod((path - low) / span, 2)
    inside: Path1D = low + span * (1 - np.abs(1 - turns))
    return inside


def jumps(rng: np.random.Generator, length: int, size: float) -> NDArray[np.float64]:
    """(length, 2) a path that leaps once to three times by 0.5 to 1 `size` in any direction."""
    steps = np.zeros((length, 2))
    for frame in rng.integers(1, max(2, length), rng.integers(1, 4)):
        angle, reach = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.5, 1)
        steps[min(frame, length - 1)] += reach * np.cos(angle), reach * np.sin(angle)
    return np.cumsum(steps, axis=0)


def linear_maps(
    scales: Path1D, turns: Path1D, stretches: Path1D, shears: Path1D, mirrored: bool = False
) -> NDArray[np.float64]:
    """(N, 2, 2): scale, stretch (log of the aspect ratio's change), shear, then turn by radians."""
    count = len(scales)
    shape, turn = np.zeros((count, 2, 2)), np.empty((count, 2, 2))
    shape[:, 0, 0] = scales * np.exp(stretches / 2) * (-1 if mirrored else 1)
    shape[:, 1, 1] = scales * np.exp(-stretches / 2)
    shape[:, 0, 1] = shears * shape[:, 1, 1]
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(turns)
    turn[:, 1, 0] = np.sin(turns)
    turn[:, 0, 1] = -turn[:, 1, 0]
    return turn @ shape


def extents(maps: NDArray[np.float64], hull: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) left, top, right, bottom of the hull's points (n, 2) under each linear map (N, 2, 2)."""
    points = hull @ maps.transpose(0, 2, 1)
    return np.concatenate([points.min(1), points.max(1)], axis=1)

"""Uncertainty by resampling sequences, the units a benchmark draws."""

import functools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@functools.lru_cache(maxsize=32)
def times_each_is_drawn(count: int, *, seed: int = 0, draws: int = 2000) -> Array:
    """How often each of `count` rows is in each of `draws` resamples (draws, count), not to be changed."""
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def bootstrap_means(
    values: Array, weights: Array | None = None, *, seed: int = 0, draws: int = 2000
) -> Array:
    """Means of `draws` resamples of the rows of `values`, drawn with replacement.

    values: (sequences,) or (sequences, points); weights: (sequences,), e.g. frames, for a pooled mean
    returns: (draws,) or (draws, points). The same seed and count draw the same rows for every tracker.
    """
    times_drawn = times_each_is_drawn(len(values), seed=seed, draws=draws)
    if weights is not None:
        times_drawn = times_drawn * weights
    return np.asarray((times_drawn @ values).T / times_drawn.sum(axis=1)).T


def bootstrap_interval(
    values: Array, weights: Array | None = None, *, level: float = 0.95, seed: int = 0, draws: int = 2000
) -> tuple[Array, Array]:
    """Percentile interval of the (weighted) mean: low and high, () or (points,); NaN below 2 rows."""
    if len(values) < 2:
        nothing = np.full(np.shape(values)[1:], np.nan)
        return nothing, nothing
    tail = (1 - level) / 2
    low, high = np.quantile(
        bootstrap_means(values, weights, seed=seed, draws=draws), [tail, 1 - tail], axis=0
    )
    return np.asarray(low), np.asarray(high)

"""Settings of the offline training, frozen; those of the paper carry its symbol."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How clips are drawn and how theta(0), lambda(0) and omega are learned."""

    clips: int = 300  # drawn once, their features kept
    updates: int = 6  # T: the first-frame step and the recurrent ones; a clip has 1 + T*tau frames
    scale_range: float = 3.0  # gamma of eq. (9), Random Filter Scaling; 0 turns it off
    shift: float = 1.2  # largest shift of a crop from the target, in target sides (O)
    size_jitter: float = 0.12  # std of the log of a crop's scale
    label_noise: float = 0.04  # std of an update sample's label position, in target sides
    skip_share: float = 0.3  # share of the clips that take every second frame
    batch: int = 4  # N of eq. (8), clips for one outer step
    start_iterations: int = 800  # theta(0) and lambda(0) first, without updates
    iterations: int = 1250  # in all; the recurrent updates join after `start_iterations`
    start_rate: float = 3e-2  # ADAM rate of theta(0), in units of `first_sizes`
    log_rate_rate: float = 1e-2  # ADAM rate of log lambda(0) and of the output bias
    optimizer_rate: float = 4e-3  # ADAM rate of omega
    clip_norm: float = 1.0  # largest norm of one clip's gradient
    # std of theta(0) at first, by group (biases start at 0), and the first rates, lambda(0) and what
    # the optimizer starts from: just below what the loss's curvature allows, 10^2 apart
    first_sizes: tuple[float, float, float, float] = (3e-2, 3e-2, 1e-3, 1e-3)
    first_rates: tuple[float, float, float, float] = (1e-2, 1e-2, 1e-4, 1e-4)
    whiten_floor: float = 0.02  # share of the mean eigenvalue added before whitening
    seed: int = 0

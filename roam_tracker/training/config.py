"""Settings of the offline training, frozen; those of the paper carry its symbol."""

import dataclasses
import math
from dataclasses import dataclass

from roam_tracker.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How clips are drawn and how theta(0), lambda(0) and omega are learned."""

    clips: int = 600  # drawn once, their features kept
    updates: int = 6  # T: the first-frame step and the recurrent ones; a clip has 1 + T*tau frames
    long_updates: int = 12  # T of the long clips, so that omega meets what many updates lead to
    long_share: float = 0.25  # of the clips
    scale_range: float = 3.0  # gamma of eq. (9), Random Filter Scaling; 0 turns it off
    shift: float = 1.2  # largest shift of a crop from the target, in target sides (O)
    size_jitter: float = 0.12  # std of the log of a crop's scale
    label_noise: float = 0.04  # std of an update sample's label position, in target sides
    synthetic_share: float = 0.5  # share of the clips made from stills, when there are any
    wrong_labels: float = 0.15  # share of the clips with a run of update frames labelled beside the target
    own_labels: float = 0.0  # share of the clips whose update frames are labelled by the responses to them
    size_label_noise: float = 0.06  # std of the log of an update sample's label size
    skip_share: float = 0.3  # share of the clips that take every second frame
    batch: int = 4  # N of eq. (8), clips for one outer step of one process
    start_iterations: int = 800  # first theta(0) and lambda(0) on kept features, without updates
    iterations: int = 450  # then all, with the recurrent updates
    start_rate: float = 3e-2  # ADAM rate of theta(0), in units of `first_sizes`
    log_rate_rate: float = 1e-2  # ADAM rate of log lambda(0) and of the output bias
    optimizer_rate: float = 4e-3  # ADAM rate of omega
    keep_start: bool = False  # the second stage trains the update rule alone: theta(0), lambda(0) stay
    clip_norm: float = 1.0  # largest norm of one clip's gradient, of each kind of parameters
    output_bias: float = -10.0  # where the optimizer's output starts: sigmoid(-10) = 4.5e-5
    output_size: float = 0.3  # of the first weights of the optimizer's output, over their usual size
    # std of theta(0) at first, by group (biases start at 0), and the first rates, lambda(0) and what
    # the optimizer starts from: just below what the loss's curvature allows, 10^2 apart
    first_sizes: tuple[float, float, float, float] = (3e-2, 3e-2, 1e-3, 1e-3)
    first_rates: tuple[float, float, float, float] = (1e-2, 1e-2, 1e-4, 1e-4)
    whiten_floor: float = 0.02  # share of the mean eigenvalue added before whitening
    precision: str = "float32"  # of the backbone; bfloat16: mixed precision, the rest stays float32
    validate_every: int = 100  # outer steps between two looks at the held-back videos
    seed: int = 0  # of first parameters, and of the order and futures of clips
    data_seed: int = 0  # of the clips and their drawing

    def __post_init__(self) -> None:
        for name in ("clips", "updates", "long_updates", "batch", "validate_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training.{name} must be >= 1, got {getattr(self, name)}.")
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"training.precision must be float32 or bfloat16, got {self.precision!r}.")

    def drawing(self) -> dict[str, object]:
        """The settings that kept clips depend on."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name in DRAWING}


DRAWING = (
    *("clips", "updates", "long_updates", "long_share", "scale_range", "shift", "size_jitter"),
    *("label_noise", "size_label_noise", "wrong_labels", "skip_share", "synthetic_share", "data_seed"),
    "precision",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticConfig:
    """What made clips look like. A pair is a range; a share is one of the clips, from 0 to 1."""

    width: tuple[float, float] = (320, 480)  # px, of a frame
    aspect: tuple[float, float] = (0.56, 0.8)  # height of a frame over its width
    side: tuple[float, float] = (20, 150)  # px, root of the target's box area in the first frame
    smallest_cut: float = 28.0  # px, the same in the photo; smaller objects are not cut out
    enlarge: float = 1.6  # most that a cut-out is enlarged, unless its box would be below 10 px wide
    speed: tuple[float, float] = (0.01, 0.2)  # target sides a frame, std of a clip's steps
    jump_share: float = 0.2
    jump: float = 1.5  # target sides, the farthest leap between two frames
    growth: float = 0.02  # std of the log of the scale's change a frame
    largest_growth: float = 0.6  # largest log of the scale against that of the first frame
    turn: float = 1.0  # degrees a frame, std
    strong_turn_share: float = 0.2
    strong_turn: float = 7.0  # degrees a frame, the fastest steady turn
    stretch: float = 0.35  # largest log of the aspect ratio's change
    shear: float = 0.2  # largest shear, across over along
    camera: float = 0.008  # frame widths a frame, std of the fastest camera's steps
    light_share: float = 0.5  # changing gain, gamma and colour
    light: float = 0.35  # largest log of the gain and gamma
    shadow_share: float = 0.2
    trail_share: float = 0.4  # motion blur
    defocus_share: float = 0.2
    defocus: float = 1.8  # px, largest std of the blur
    occluder_share: float = 0.4
    distractor_share: float = 0.5
    part_share: float = 0.0  # clips whose target is a part of the object, as a face is one of a person
    grain_share: float = 0.5
    grain: float = 8.0  # grey levels, largest std
    jpeg_share: float = 0.5

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            low, high = value if isinstance(value, tuple) else (value, value)
            most = 1 if field.name.endswith("_share") else math.inf
            if not 0 <= low <= high <= most:
                raise ConfigError(
                    f"synthetic.{field.name}: numbers from 0 to {most:g} in order are wanted, got {value}."
                )

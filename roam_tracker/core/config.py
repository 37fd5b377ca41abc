"""Every setting of the tracker, as frozen data read from a preset file (TOML).

Lengths ending in `_px` are image pixels, `_cells` feature cells; everything else is a ratio or a
count. Defaults are the paper's numbers where it states them; letters such as (G) refer to the list
of choices in docs/paper-choices.md.
"""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest, read_toml


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """The search region (paper, section 5, Patch Cropping)."""

    base_object_size: float = 70.0  # B: side in px that a square target has in the patch
    roi_scale: float = 5.0  # s: side of the region over sqrt(w*h) of the target

    def __post_init__(self) -> None:
        _require(
            self.base_object_size >= 8, f"search.base_object_size must be >= 8, got {self.base_object_size}."
        )
        _require(self.roi_scale > 1, f"search.roi_scale must be > 1, got {self.roi_scale}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The response model: features, two convolutions, label and loss (sections 3.1 and 5)."""

    backbone: str = "lite0"
    reduced_channels: int = 64  # outputs of the 1x1 reduction
    filter_height: int = 19  # canonical response filter; stored as (1, channels, height, width)
    filter_width: int = 13
    filter_factor: float = 1.0  # side of the resized filter over the target's side
    keep_gain: bool = False  # divide a resized filter by the growth of its area
    label_alpha: float = 20.0  # alpha of eq. (2)
    loss: str = "masked"  # what ||.||^2 of eq. (1) sums and divides by: masked, energy (F)
    window: bool = False  # a Hann window on the features of the search region

    def __post_init__(self) -> None:
        _require(
            self.reduced_channels >= 1, f"model.reduced_channels must be >= 1, got {self.reduced_channels}."
        )
        for name, side in (("height", self.filter_height), ("width", self.filter_width)):
            _require(
                side >= 1 and side % 2 == 1, f"model.filter_{name} must be odd and positive, got {side}."
            )
        _require(self.filter_factor > 0, f"model.filter_factor must be > 0, got {self.filter_factor}.")
        _require(self.label_alpha > 0, f"model.label_alpha must be > 0, got {self.label_alpha}.")
        losses = ("masked", "energy")
        _require(self.loss in losses, f"model.loss {self.loss!r} is unknown; {nearest(self.loss, losses)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """The rule that turns gradients into rates (eqs. 3-5) and its variants (section 6.2)."""

    kind: str = "lstm"  # lstm, gru, fc (no recurrence), constant (learned, element-wise), sgd
    hidden: int = 20
    layers: int = 2
    log_rate_input: bool = False  # feed the logarithm of the previous rate; raw rates are ~1e-6 (A)
    log_loss_input: bool = False
    group_bias: bool = False  # one output bias for each parameter group instead of one
    sgd_rates: tuple[float, ...] = (7e-6,)  # of sgd: one, or one for each parameter group

    def __post_init__(self) -> None:
        kinds = ("lstm", "gru", "fc", "constant", "sgd")
        _require(self.kind in kinds, f"optimizer.kind {self.kind!r} is unknown; {nearest(self.kind, kinds)}")
        _require(self.hidden >= 1 and self.layers >= 1, "optimizer.hidden and optimizer.layers must be >= 1.")
        _require(
            len(self.sgd_rates) in (1, 4) and all(rate >= 0 for rate in self.sgd_rates),
            f"optimizer.sgd_rates must be one rate or one for each of 4 groups, got {list(self.sgd_rates)}.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateConfig:
    """When and on what the model is updated (section 4, Model Updating)."""

    first_scales: tuple[float, ...] = (1.0,)  # of the crops of the first frame
    first_rotations: tuple[float, ...] = ()  # degrees by which further crops of the first frame are turned
    first_shift: float = 0.0  # of four further crops, off along both axes by this share of the target's sides
    first_flip: bool = False  # one further crop, left to right
    first_blurs: tuple[float, ...] = ()  # std in px of further crops that are blurred
    every_frames: int = 5  # tau
    samples: int = 5  # n of eq. (6)
    steps: int = 2
    memory_frames: int = 10  # samples come from the previous 2*tau frames
    memory_stride: int = 1  # every how many frames one is remembered
    decay: float = 0.0  # by how much less a remembered sample counts for each frame of its age; 0: all alike
    first_share: float = 0.0  # least weight of the first frame's samples in every step; 0: they are in none
    ambiguity: float = 1.0  # a frame whose second peak is above this share of the first is not kept
    guard_halvings: int = 0  # how often a step that raises the batch loss is shortened; 0: no guard
    guard_factor: float = 0.4  # by what it is shortened each time
    miss_ratio: float = 0.0  # a frame whose peak is below this share of the first peak is not kept

    def __post_init__(self) -> None:
        _require(
            self.first_scales[:1] == (1.0,) and all(scale > 0 for scale in self.first_scales),
            f"update.first_scales must be positive numbers, 1.0 the first, got {list(self.first_scales)}.",
        )
        _require(
            all(std > 0 for std in self.first_blurs),
            f"update.first_blurs must be positive numbers, got {list(self.first_blurs)}.",
        )
        _require(0 <= self.first_shift <= 1, f"update.first_shift must be in [0, 1], got {self.first_shift}.")
        for name in ("every_frames", "samples", "memory_frames", "memory_stride"):
            _require(getattr(self, name) >= 1, f"update.{name} must be >= 1, got {getattr(self, name)}.")
        _require(self.steps >= 0, f"update.steps must be >= 0, got {self.steps}.")
        _require(self.guard_halvings >= 0, f"update.guard_halvings must be >= 0, got {self.guard_halvings}.")
        _require(
            0 < self.guard_factor < 1, f"update.guard_factor must be in (0, 1), got {self.guard_factor}."
        )
        for name in ("decay", "first_share"):
            value = getattr(self, name)
            _require(0 <= value < 1, f"update.{name} must be in [0, 1), got {value}.")
        for name in ("miss_ratio", "ambiguity"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"update.{name} must be in [0, 1], got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxConfig:
    """From the response to a box (section 4, Bounding Box Estimation)."""

    motion_sigma: float = 0.79  # std of the motion map over sqrt(w*h) of the target (J)
    scales: tuple[float, ...] = (0.95, 1.0, 1.05)  # of the pyramid (I)
    pyramid_roi: float = 0.0  # side of the pyramid's crops over sqrt(w*h); 0: as the search region's (Q)
    estimate: str = "best"  # of the size: best, the highest peak's scale; parabola: between three peaks (R)
    size_weight: float = 0.6  # weight of the estimated size in the interpolation (I)
    subcell: bool = False  # refine the peak by a parabola through its neighbours
    min_side_px: float = 4.0

    def __post_init__(self) -> None:
        _require(self.motion_sigma > 0, f"box.motion_sigma must be > 0, got {self.motion_sigma}.")
        _require(
            len(self.scales) >= 1 and all(scale > 0 for scale in self.scales),
            f"box.scales must be positive numbers, got {list(self.scales)}.",
        )
        ways = ("best", "parabola")
        _require(
            self.estimate in ways,
            f"box.estimate {self.estimate!r} is unknown; {nearest(self.estimate, ways)}",
        )
        _require(
            self.pyramid_roi == 0 or self.pyramid_roi > 1,
            f"box.pyramid_roi must be 0 or above 1, got {self.pyramid_roi}.",
        )
        _require(
            self.estimate == "best" or _is_even(self.scales),
            f"box.scales must be 1/s, 1 and s for a parabola, got {list(self.scales)}.",
        )
        _require(0 <= self.size_weight <= 1, f"box.size_weight must be in [0, 1], got {self.size_weight}.")
        _require(self.min_side_px > 0, f"box.min_side_px must be > 0, got {self.min_side_px}.")


def _is_even(scales: tuple[float, ...]) -> bool:
    """Whether the scales are 1/s, 1 and s, to a hundredth."""
    if len(scales) != 3:
        return False
    low, middle, high = sorted(scales)
    return middle == 1 and high > 1 and abs(low * high - 1) < 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerConfig:
    """One preset: all settings, and the weights they were trained with."""

    weights: str = "default"  # a name of a shipped file, or a path
    precision: str = "auto"  # of the backbone: float32, bfloat16, float16, or auto: as the device gains by it
    oracle: bool = False  # label the samples of updates with the true boxes (section 6.2)
    search: SearchConfig = field(default_factory=SearchConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    update: UpdateConfig = field(default_factory=UpdateConfig)
    box: BoxConfig = field(default_factory=BoxConfig)

    def __post_init__(self) -> None:
        known = ("auto", "float32", "bfloat16", "float16")
        _require(
            self.precision in known,
            f"precision {self.precision!r} is unknown; {nearest(self.precision, known)}",
        )


# Settings of earlier versions, with the defaults they had. A preset that names one is refused; results that
# were made with the default are results of today's settings.
RETIRED: dict[str, Any] = {
    "model.resize": "start",
    "model.box_branch": False,
    "model.box_positives": 32,
    "optimizer.gradient_input": "log_sign",
    "optimizer.normalise_inputs": False,
    "optimizer.reset": False,
    "optimizer.output_bias": -10.0,
    "update.first_ratios": [1.0],
    "update.first_steps": 1,
    "box.pyramid": "after",
    "box.fit_weight": 0.0,
    "box.stretch": 1.0,
    "box.filter_share": 0.0,
    "box.filter_scales": 17,
    "box.filter_step": 1.03,
    "box.filter_sigma": 1.0,
    "box.filter_rate": 0.01,
    "box.filter_reliable": 0.5,
    "box.size_penalty": 0.0,
    "box.reliable_ratio": 0.0,
    "box.loose_sigma": 1.58,
}
RETIRED_PRESETS = ("release", "release-small")


def preset_names() -> list[str]:
    """The presets that come with the package."""
    folder = resources.files("roam_tracker").joinpath("presets")
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load_preset(preset: str | Path) -> TrackerConfig:
    """Read a preset by its name, or any TOML file by its path (ending in .toml).

    A file may begin with `extends = "NAME"` and then states only what differs from that preset.
    Raises ConfigError for an unknown preset, an unknown key (naming the nearest known one), a value
    of the wrong type or outside its range.
    """
    config: TrackerConfig = _build(TrackerConfig, _read(preset, ()), f"preset {preset}")
    return config


def _read(preset: str | Path, extended_by: tuple[str, ...]) -> dict[str, Any]:
    _require(str(preset) not in extended_by, f"Preset {preset} extends itself.")
    if str(preset).endswith(".toml"):
        path = Path(preset)
        _require(path.is_file(), f"Preset file {path} does not exist.")
        table = read_toml(path, f"Preset {preset}")
    else:
        names = preset_names()
        _require(
            str(preset) not in RETIRED_PRESETS,
            f"Preset {str(preset)!r} and its box branch were removed; use one of {', '.join(names)}.",
        )
        _require(str(preset) in names, f"Preset {str(preset)!r} is unknown; {nearest(str(preset), names)}")
        file = resources.files("roam_tracker").joinpath("presets", f"{preset}.toml")
        table = read_toml(file, f"Preset {preset}")
    if "extends" not in table:
        return table
    base = _read(str(table.pop("extends")), (*extended_by, str(preset)))
    for key, value in table.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = {**base[key], **value} if both else value
    return base


def _build(kind: type[Any], table: dict[str, Any], where: str, section: str = "") -> Any:
    hints = get_type_hints(kind)
    known = [entry.name for entry in fields(kind)]
    values = {}
    for key, value in table.items():
        _require(
            section + key not in RETIRED,
            f"{where}: {key!r} is a setting of earlier versions and has no effect any more; remove it.",
        )
        _require(key in known, f"{where}: key {key!r} is unknown; {nearest(key, known)}")
        values[key] = _convert(hints[key], value, f"{where}: {key}", f"{section}{key}.")
    return kind(**values)


def _convert(kind: Any, value: Any, where: str, section: str = "") -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        _require(isinstance(value, dict), f"{where} must be a table, got {value!r}.")
        return _build(kind, value, where, section)
    if get_origin(kind) is tuple:
        _require(isinstance(value, list), f"{where} must be a list, got {value!r}.")
        return tuple(_convert(get_args(kind)[0], entry, where) for entry in value)
    if kind is float and type(value) is int:
        return float(value)
    _require(type(value) is not float or math.isfinite(value), f"{where} must be finite, got {value}.")
    _require(type(value) is kind, f"{where} must be of type {kind.__name__}, got {value!r}.")
    return value

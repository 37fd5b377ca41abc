"""Files of VGG-16 weights: where they are looked for, how they are read, how they are fetched.

Three kinds of file hold the same layers. The kind also tells the order of the input channels:

    .pth, .pt      state dict of torchvision, `features.N.weight`; RGB; classifier entries are ignored
    .mat           MatConvNet's imagenet-vgg-verydeep-16, `convB_C`; RGB; needs SciPy
    .safetensors   `convB_C.weight` (out, in, 3, 3) and `convB_C.bias`; BGR, as Oxford and Keras have them
"""

import hashlib
import importlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from roam_tracker.core.backbone import backbone_spec
from roam_tracker.errors import ConfigError, RunError, WeightsError
from roam_tracker.weights.download import download, show

VARIABLE = "ROAM_BACKBONE"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """Where weights are published, and the file's SHA-256 in hex: whole, or its published beginning."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, the last part of the URL."""
        return self.url.rpartition("/")[2]


_OXFORD = PublishedFile(
    "https://download.pytorch.org/models/vgg16_features-amdegroot-88682ab5.pth", "88682ab5"
)
_TORCHVISION = PublishedFile(
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
FILES = {  # backbones whose tensors lie in a file of their own
    "vgg16": _OXFORD,
    "vgg16-conv4_3": _OXFORD,
    "vgg16-torchvision": _TORCHVISION,
    "vgg16-torchvision-conv4_3": _TORCHVISION,
}

_PARTS = ("weight", "bias")
_WIDTHS = {"1": 64, "2": 128, "3": 256, "4": 512, "5": 512}  # channels of convB_*
_TORCHVISION_NUMBERS = {
    "1": (0, 2),
    "2": (5, 7),
    "3": (10, 12, 14),
    "4": (17, 19, 21),
    "5": (24, 26, 28),
}
# The two trainings of VGG-16 expect different pixel values and are told apart by the first biases of
# conv1_1, which do not depend on the order of the input channels.
_FIRST_BIASES = {"vgg16": (0.7343, 0.0934, 0.0678), "vgg16-torchvision": (0.4034, 0.3778, 0.4644)}


def find_backbone(name: str, path: str | os.PathLike[str] | None = None) -> Path:
    """The backbone's file: `path`, else the environment variable ROAM_BACKBONE, else the cache folder.

    Raises WeightsError when the file is absent, telling how to get one; ConfigError for a backbone that is
    unknown or has no file of its own.
    """
    cached = cache_folder() / _published(name).name
    given = path or os.environ.get(VARIABLE)
    if given:
        file = Path(given).expanduser()
        if not file.is_file():
            named = "" if path else f", which {VARIABLE} names,"
            raise WeightsError(
                f"Backbone file {file}{named} does not exist. Give another one, or run: roam fetch {name}"
            )
        return file
    if cached.is_file():
        return cached
    raise WeightsError(
        f"Backbone {name!r} has no file of weights yet; run: roam fetch {name}, or give a file: "
        f"{VARIABLE}=FILE (.pth, .mat or .safetensors)."
    )


def load_backbone(name: str, path: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """Tensors, float32, of a backbone's layers: `<layer>.weight` (out, in, 3, 3) and `<layer>.bias` (out,).

    The input channels are RGB. The file is the one of `find_backbone`. Raises WeightsError when it is
    damaged, lacks a layer, or holds weights trained with other pixel values than the backbone's
    preprocessing gives.
    """
    file = find_backbone(name, path)
    kind = ".pth" if file.suffix.lower() == ".pt" else file.suffix.lower()
    if kind not in _READERS:
        raise WeightsError(f"Backbone file {file} must be a .pth, .mat or .safetensors file.")
    tensors = _READERS[kind](file)
    own = {f"{layer}.{part}": _own_name(layer, kind, part) for layer in _shapes(name) for part in _PARTS}
    _check_training(name, file, kind, tensors.get(own["conv1_1.bias"]))
    weights = {}
    for layer, shape in _shapes(name).items():
        for part, expected in zip(_PARTS, (shape, shape[:1]), strict=True):
            key = f"{layer}.{part}"
            tensor = tensors.get(own[key])
            if tensor is None:
                raise WeightsError(
                    f"{file} has no tensor {own[key]!r} ({layer} of {name}). "
                    f"Get the whole file: roam fetch {name}"
                )
            if tuple(tensor.shape) != expected:
                raise WeightsError(
                    f"{file} has {own[key]!r} of shape {tuple(tensor.shape)}, {layer} of {name} needs "
                    f"{expected}. Get the file of VGG-16: roam fetch {name}"
                )
            # a copy: what was read may be a view of a file that someone replaces
            weights[key] = tensor.to(torch.float32, copy=True).contiguous()
    if kind == ".safetensors":
        weights["conv1_1.weight"] = weights["conv1_1.weight"].flip(1)  # BGR to RGB
    return check_finite(file, weights)


def check_finite(file: str | os.PathLike[str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors themselves; WeightsError naming the first with a value that is infinite or no number."""
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{file} has values in {name!r} that are not finite. Fetch or make the file again."
            )
    return tensors


def fetch_backbone(name: str, to: str | os.PathLike[str] | None = None) -> Path:
    """Download the backbone's published file to `to` (a file or a folder) or the cache; return its path.

    A file that is there already and has the published SHA-256 is kept. The download is checked, goes on
    after a break and appears whole or not at all. Raises RunError with the URL when it fails.
    """
    published = _published(name)
    file = cache_folder() / published.name if to is None else Path(to).expanduser()
    if file.is_dir():
        file = file / published.name
    if file.is_file() and _sha256(file).startswith(published.sha256):
        return file
    try:
        download(published.url, file, published.sha256, progress=show)
    except RunError as error:
        raise RunError(f"{error} {VARIABLE} may name another place.") from None
    finally:
        show("")
    return file


def random_backbone(name: str, generator: torch.Generator) -> dict[str, Tensor]:
    """Kernels that keep the size of what passes through, in place of a file that is not there."""
    weights = {}
    for layer, shape in _shapes(name).items():
        spread = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        weights[f"{layer}.weight"] = spread * torch.randn(shape, generator=generator)
        weights[f"{layer}.bias"] = torch.zeros(shape[0])
    return weights


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/roam-tracker or ~/.cache/roam-tracker; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roam-tracker"


def _published(name: str) -> PublishedFile:
    if not backbone_spec(name).apart:
        raise ConfigError(
            f"Backbone {name!r} has no file of its own, it comes with the tracker's weights. "
            f"Those with a file: {', '.join(FILES)}."
        )
    return FILES[name]


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The shape of each convolution's kernels."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for layer in backbone_spec(name).layers:
        if layer.kind == "conv":
            shapes[layer.name] = (_WIDTHS[layer.name[4]], channels, 3, 3)
            channels = _WIDTHS[layer.name[4]]
    return shapes


def _own_name(layer: str, kind: str, part: str) -> str:
    """How a kind of file calls a layer's tensor."""
    if kind == ".pth":
        return f"features.{_TORCHVISION_NUMBERS[layer[4]][int(layer[6]) - 1]}.{part}"
    return f"{layer}.{part}"


def _check_training(name: str, file: Path, kind: str, bias: Tensor | None) -> None:
    """Refuse a file that is known to come from the other training; a file of unknown origin passes."""
    wanted = "vgg16-torchvision" if name.startswith("vgg16-torchvision") else "vgg16"
    found = {training for training in _FIRST_BIASES if _published(training).name == file.name}
    if kind != ".pth":
        found.add("vgg16")
    elif bias is not None and bias.numel() >= 3:
        first = bias.flatten()[:3].double()
        found |= {
            training
            for training, values in _FIRST_BIASES.items()
            if torch.allclose(first, torch.tensor(values).double(), rtol=0, atol=1e-3)
        }
    if found - {wanted}:
        raise WeightsError(
            f"{file} holds weights for the preprocessing of {min(found - {wanted})!r}, not of {name!r}. "
            f"Name that backbone in the preset, or run: roam fetch {name}"
        )


def _read_torch(file: Path) -> dict[str, Tensor]:
    try:
        # a mapped file gives its convolutions without reading the far larger classifier
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception:  # whatever the unpickler meets in a damaged file
        raise WeightsError(
            f"{file} cannot be read as plain tensors: it is damaged, or a pickle of other things. "
            "Get the file of torchvision: roam fetch vgg16"
        ) from None
    if not isinstance(content, dict):
        raise WeightsError(
            f"{file} holds a {type(content).__name__}, expected a state dict of VGG-16. Run: roam fetch vgg16"
        )
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise WeightsError(f"{file} is damaged ({error}). Fetch or make the file again.") from None


def _read_matconvnet(file: Path) -> dict[str, Tensor]:
    try:
        io = importlib.import_module("scipy.io")
    except ImportError:
        raise WeightsError(
            f"Reading {file} needs SciPy. Install it: pip install 'roam-tracker[matconvnet]'"
        ) from None
    try:
        layers = io.loadmat(file, variable_names=["layers"], simplify_cells=True)["layers"]
        tensors = {}
        for layer in layers:
            if layer["type"] == "conv":
                kernels, bias = layer["weights"]
                if kernels.ndim == 4:  # (height, width, in, out)
                    kernels = kernels.transpose(3, 2, 0, 1)
                tensors[f"{layer['name']}.weight"] = torch.tensor(kernels)
                tensors[f"{layer['name']}.bias"] = torch.tensor(bias).flatten()
    except Exception:  # whatever the reader meets in a damaged file
        raise WeightsError(
            f"{file} cannot be read as a MatConvNet network of layers: it is damaged or another file. "
            "Get imagenet-vgg-verydeep-16.mat, or run: roam fetch vgg16"
        ) from None
    return tensors


_READERS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    ".pth": _read_torch,
    ".mat": _read_matconvnet,
    ".safetensors": _read_safetensors,
}

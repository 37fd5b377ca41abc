"""Images in any usual form as (H, W, 3) uint8 RGB."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from roam_tracker.errors import ImageError

Rgb = NDArray[np.uint8]

_DEEP = ("I", "F")  # how the names of Pillow's modes with more than 8 bits begin
_TAIL = 0.001  # share of the pixels at either end that may be faults of the sensor
_BEYOND = 0.25  # how far such pixels may lie beyond the others, of the others' range, and still count
_ORIENTATION = 0x0112  # tag of EXIF


@dataclass(frozen=True, slots=True)
class Levels:
    """The values that become black and white in a sequence whose images have more than 8 bits."""

    low: float
    high: float


def levels_of(image: Any) -> Levels | None:
    """The levels of a sequence by its first image; None where it has 8 bits, which stay as they are.

    They are its smallest and largest value, but for single pixels far beyond the others: a thermal camera
    fills a small part of its range. Given to `to_rgb` for every image, they keep the scale the same.
    Raises ImageError as `to_rgb` does.
    """
    values = _values(image, deep_only=True)
    if values is None or values.dtype == np.uint8:
        return None
    known = values[np.isfinite(values)]
    if not known.size:
        raise ImageError("An image has no finite pixel. Start on another frame.")
    low, high = np.quantile(known, (_TAIL, 1 - _TAIL)).tolist()
    reach = _BEYOND * (high - low)
    low, high = max(float(known.min()), low - reach), min(float(known.max()), high + reach)
    return Levels(low, high if high > low else low + 1)


def to_rgb(image: Any, levels: Levels | None = None) -> Rgb:
    """A path, a PIL image or an array as (H, W, 3) uint8 RGB; an array of that kind as it is.

    Grey is repeated, alpha dropped, palettes and CMYK are converted, an image is turned as its EXIF
    orientation says. Of an animation the current frame counts, in a file the first.

    levels: of the sequence, see `levels_of`; they spread images of more than 8 bits. Without them the upper 8
            of 16 bits are kept, and other numbers are refused.
    Raises ImageError naming the file or the shape.
    """
    values = _values(image)
    assert values is not None
    if values.dtype != np.uint8:
        values = _spread(values, levels)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim == 2:
        values = np.repeat(values[:, :, None], 3, axis=2)
    return np.require(values[:, :, :3], requirements=("C", "W"))  # what torch takes without a copy


def size_of(file: str | os.PathLike[str]) -> tuple[int, int]:
    """(width, height) in px of an image file as `to_rgb` gives it, without decoding it."""
    with Image.open(file) as image:
        turned = image.getexif().get(_ORIENTATION, 1) >= 5
        return image.size[::-1] if turned else image.size


def _spread(values: NDArray[Any], levels: Levels | None) -> Rgb:
    if levels is not None:
        scaled = (values.astype(np.float64) - levels.low) * 255 / (levels.high - levels.low)
        return np.nan_to_num(np.clip(scaled.round(), 0, 255), nan=0.0).astype(np.uint8)
    if values.dtype == np.uint16:
        return (values >> 8).astype(np.uint8)
    kind = "floating-point pixels have" if values.dtype.kind == "f" else "values beyond 0 to 65535 have"
    raise ImageError(f"{kind} no known scale by themselves. Save it with 8 or 16 bits (uint8, uint16).")


def _values(image: Any, *, deep_only: bool = False) -> NDArray[Any] | None:
    """The pixels as they are, (H, W) or (H, W, channels); with `deep_only` None for a PIL image of 8 bits."""
    if isinstance(image, (str, os.PathLike)):
        try:
            with Image.open(image) as opened:
                return _pixels(opened, deep_only)
        except FileNotFoundError:
            raise ImageError(f"Image {os.fspath(image)} does not exist.") from None
        except ImageError as error:
            raise ImageError(f"Image {os.fspath(image)}: {error}") from None
        except Exception as error:  # whatever a decoder meets in a damaged file
            raise _unreadable(os.fspath(image), error) from None
    if isinstance(image, Image.Image):
        try:
            return _pixels(image, deep_only)
        except ImageError:
            raise
        except Exception as error:  # a file that is read only now
            raise _unreadable(getattr(image, "filename", "") or "in memory", error) from None
    try:
        return _checked(np.asarray(image))
    except ImageError:
        raise
    except Exception as error:  # of objects that say they are arrays
        raise ImageError(f"An image must be a path, a PIL image or an array ({_words(error)}).") from None


def _pixels(image: Image.Image, deep_only: bool) -> NDArray[Any] | None:
    """What `_checked` takes; Pillow itself would cut 16 bits off at 255."""
    colour = _deep_colour(image)
    if colour is not None:
        return _checked(colour)
    deep = image.mode.startswith(_DEEP)
    if deep_only and not deep:
        return None
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if not deep:
        return _checked(np.array(image.convert("RGB")))
    values = np.asarray(image)
    if image.mode == "I" and values.size and values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max:
        values = values.astype(np.uint16)  # how Pillow gives most files of 16 bits
    return _checked(values)


def _deep_colour(image: Image.Image) -> NDArray[Any] | None:
    """The pixels of a file with 16 bits per colour, of which Pillow gives the upper 8; else None."""
    file = getattr(image, "filename", "")
    if (
        image.mode not in ("RGB", "RGBA", "LA")
        or not file
        or not any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    ):
        return None
    import cv2

    values = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    return None if values is None or values.ndim != 3 else values[:, :, [2, 1, 0]]


def _checked(array: NDArray[Any]) -> NDArray[Any]:
    """The array in the byte order of this machine; raises ImageError for one that is no image."""
    usable = array.dtype.kind in "uif" and not (array.dtype.kind == "i" and array.dtype.itemsize == 1)
    if not usable or array.size == 0:
        raise ImageError(
            f"An image array must be uint8 or uint16 and not empty, got {array.dtype} of shape {array.shape}."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"An image array must be H x W x 3 (RGB), H x W x 4 or H x W, got shape {array.shape}."
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _unreadable(name: str, error: Exception) -> ImageError:
    return ImageError(f"Image {name} cannot be read ({_words(error)}). Replace the file.")


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

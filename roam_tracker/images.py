"""Images in any usual form as (H, W, 3) uint8 RGB."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from roam_tracker.errors import ImageError

Rgb = NDArray[np.uint8]


def to_rgb(image: Any) -> Rgb:
    """A path, a PIL image or an array as (H, W, 3) uint8 RGB; an array of that kind as it is.

    Grey is repeated, alpha dropped, palettes and CMYK are converted. Of 16 bits the upper 8 are kept: the
    scale is the same for every frame of a video. Of an animation the current frame counts, in a file the
    first. Raises ImageError naming the file or the shape.
    """
    if isinstance(image, (str, os.PathLike)):
        try:
            with Image.open(image) as opened:
                return _checked(_pixels(opened))
        except FileNotFoundError:
            raise ImageError(f"Image {os.fspath(image)} does not exist.") from None
        except ImageError as error:
            raise ImageError(f"Image {os.fspath(image)}: {error}") from None
        except Exception as error:  # whatever a decoder meets in a damaged file
            raise _unreadable(os.fspath(image), error) from None
    if isinstance(image, Image.Image):
        try:
            return _checked(_pixels(image))
        except ImageError:
            raise
        except Exception as error:  # a file that is read only now
            raise _unreadable(getattr(image, "filename", "") or "in memory", error) from None
    try:
        array = np.asarray(image)
    except Exception as error:  # of objects that say they are arrays
        raise ImageError(f"An image must be a path, a PIL image or an array ({_words(error)}).") from None
    return _checked(array)


def _pixels(image: Image.Image) -> NDArray[Any]:
    """What `_checked` takes; Pillow itself would cut 16 bits off at 255."""
    if image.mode.startswith("I;16"):
        return np.asarray(image)
    if image.mode == "I":
        values = np.asarray(image)
        if values.size and (values.min() < 0 or values.max() > np.iinfo(np.uint16).max):
            raise ImageError("values beyond 0 to 65535 have no known scale. Save it with 8 or 16 bits.")
        return values.astype(np.uint16)
    if image.mode == "F":
        raise ImageError("floating-point pixels have no known scale. Save it with 8 or 16 bits.")
    return np.array(image.convert("RGB"))


def _checked(array: NDArray[Any]) -> Rgb:
    if array.dtype.kind != "u" or array.dtype.itemsize > 2 or array.size == 0:
        raise ImageError(
            f"An image array must be uint8 or uint16 and not empty, got {array.dtype} of shape {array.shape}."
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise ImageError(
            f"An image array must be H x W x 3 (RGB), H x W x 4 or H x W, got shape {array.shape}."
        )
    if array.dtype.itemsize == 2:
        array = (array >> 8).astype(np.uint8)
    return np.require(array[:, :, :3], requirements=("C", "W"))  # what torch takes without a copy


def _unreadable(name: str, error: Exception) -> ImageError:
    return ImageError(f"Image {name} cannot be read ({_words(error)}). Replace the file.")


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

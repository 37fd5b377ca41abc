"""What a result was made from, besides settings and weights: the frames, and the code of the tracker."""

import ast
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Any

import numpy as np

_LOOKED_AT = 5  # images of a sequence whose content is looked at


def data_identity(images: Sequence[str], box: Sequence[float]) -> str:
    """A digest of what a tracker was given: the first box, and the frames.

    Of the frames their number, the sizes of their files, and the content of a few from the first to the last.
    Where they lie does not count.
    """
    digest = hashlib.sha256(repr([float(value) for value in box]).encode())
    sizes = [os.stat(image).st_size for image in images]  # noqa: PTH116  (a third of the time)
    digest.update(repr(sizes).encode())
    for index in np.unique(np.linspace(0, len(images) - 1, _LOOKED_AT).round().astype(int)).tolist():
        digest.update(Path(images[index]).read_bytes())
    return digest.hexdigest()


def code_identity(tracker: Any, module: str = "") -> dict[str, str]:
    """SHA-256 by name of the file of a tracker's class, of the files beside it that it imports, and so on.

    module: by which the tracker is named, where that is another one than its class is defined in
    Empty where there is no file; of an installed package only the file itself counts.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys((module, getattr(tracker, "__module__", ""))):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None:
            continue
        waiting = [Path(file).resolve()]
        root = waiting[0].parents[name.count(".") + (waiting[0].stem == "__init__")]
        while waiting:
            path = waiting.pop()
            label = str(path.relative_to(root) if path.is_relative_to(root) else path)
            if label not in found:
                content = path.read_bytes()
                found[label] = hashlib.sha256(content).hexdigest()
                if path.suffix == ".py" and root.name not in ("site-packages", "dist-packages"):
                    waiting += _imported(content, path, root)
    return dict(sorted(found.items()))


def changed(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """The files that are not the same in both."""
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _imported(content: bytes, path: Path, root: Path) -> Iterator[Path]:
    """The files below `root` that a source file names in its imports."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (file for alias in node.names for file in _files(root, alias.name))
        elif isinstance(node, ast.ImportFrom):
            start = path.parents[node.level - 1] if node.level else root
            yield from _files(start, node.module or "")
            yield from (
                file for alias in node.names for file in _files(start, f"{node.module or ''}.{alias.name}")
            )


def _files(start: Path, name: str) -> Iterator[Path]:
    """The file of a module and those of the packages that it is in, as far as they are there."""
    place = start
    for part in filter(None, name.split(".")):
        place = place / part
        for suffix in all_suffixes():
            for file in (place.with_name(place.name + suffix), place / f"__init__{suffix}"):
                if file.is_file():
                    yield file.resolve()

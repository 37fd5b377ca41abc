"""Figures of a run for TensorBoard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from roam_tracker.errors import ConfigError


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[dict[str, float]], None]]:
    """What takes the figures of an outer step; without a folder it drops them.

    Raises ConfigError when TensorBoard is not installed.
    """
    if folder is None:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "--tensorboard needs TensorBoard. Install it: pip install 'roam-tracker[train]'"
        ) from None
    writer = SummaryWriter(str(folder))

    def write(row: dict[str, float]) -> None:
        for name, value in row.items():
            if name != "iteration":
                writer.add_scalar(name, value, int(row["iteration"]))

    try:
        yield write
    finally:
        writer.close()

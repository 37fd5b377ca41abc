"""The GOT-10k toolkit's data sets on partial copies, offline, and checked before they are used.

One file a benchmark, each a subclass of the toolkit's own class; see base.py for what they share.
"""

from pathlib import Path
from typing import Any

from roam_tracker.toolkits.datasets.drones import PartialDTB70, PartialUAV
from roam_tracker.toolkits.datasets.got10k import FolderGOT10k, PartialGOT10k
from roam_tracker.toolkits.datasets.lasot import PartialLaSOT
from roam_tracker.toolkits.datasets.nfs import PartialNfS
from roam_tracker.toolkits.datasets.otb import PartialOTB
from roam_tracker.toolkits.datasets.tcolor128 import PartialTColor128
from roam_tracker.toolkits.datasets.trackingnet import PartialTrackingNet


def open_dataset(layout: str, root: str, version: Any = None) -> Any:
    """The data set of a layout (see settings.py) on the sequences under `root`."""
    if layout == "folder":
        otb = any(Path(root).glob("*/groundtruth_rect*.txt"))
        return PartialOTB(root) if otb else FolderGOT10k(root)
    kinds: dict[str, Any] = {
        "otb": PartialOTB,
        "got10k": PartialGOT10k,
        "uav": PartialUAV,
        "nfs": PartialNfS,
        "dtb70": PartialDTB70,
        "tcolor128": PartialTColor128,
        "lasot": PartialLaSOT,
        "trackingnet": PartialTrackingNet,
    }
    return kinds[layout](root) if version is None else kinds[layout](root, version)

"""The benchmarks as data: names, families, sequences, bounds."""

import re
from dataclasses import dataclass
from typing import Literal

from roam_tracker.datasets.lists import LASOT_TEST, OTB50, OTB2013, OTB2015
from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest

Family = Literal["otb", "lasot", "trackingnet", "got10k", "vot"]
Layout = Literal["otb", "uav", "nfs", "dtb70", "tcolor128", "lasot", "trackingnet", "got10k", "vot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What the report must know of a benchmark.

    family:     whose rule scores it
    layout:     whose files its ground truth has
    sequences:  its published sequence names; empty where the ground truth folder decides
    count:      how many sequences it has; 0 where `sequences` or the ground truth tells
    folders:    names of its folder under a results folder, in order of trial
    annotated_frames: only frames with an annotation count; otherwise a frame without one is a miss
    eao_bounds: (low, high) sequence lengths of the expected average overlap, both included
    """

    name: str
    family: Family
    layout: Layout = "otb"
    sequences: frozenset[str] = frozenset()
    count: int = 0
    folders: tuple[str, ...] = ()
    annotated_frames: bool = False
    eao_bounds: tuple[int, int] | None = None

    @property
    def slug(self) -> str:
        """The name in files: lower case."""
        return self.name.lower()


_KNOWN = (
    Benchmark(name="OTB2013", family="otb", sequences=OTB2013, folders=("OTB2013", "OTBotb2013")),
    Benchmark(name="OTB50", family="otb", sequences=OTB50, folders=("OTBtb50", "OTB50")),
    Benchmark(
        name="OTB2015",
        family="otb",
        sequences=OTB2015,
        folders=("OTB2015", "OTBotb2015", "OTBtb100", "OTB100"),
    ),
    Benchmark(name="OTB", family="otb", folders=("OTB", "OTB-folder")),
    Benchmark(
        name="UAV123", family="otb", layout="uav", count=123, folders=("UAV123",), annotated_frames=True
    ),
    Benchmark(
        name="UAV20L", family="otb", layout="uav", count=20, folders=("UAV20L",), annotated_frames=True
    ),
    Benchmark(name="NfS240", family="otb", layout="nfs", count=100, folders=("NfS/240", "NfS240")),
    Benchmark(name="NfS30", family="otb", layout="nfs", count=100, folders=("NfS/30", "NfS30")),
    Benchmark(name="DTB70", family="otb", layout="dtb70", count=70, folders=("DTB70",)),
    Benchmark(name="TColor128", family="otb", layout="tcolor128", count=128, folders=("TColor128",)),
    Benchmark(name="LaSOT", family="lasot", layout="lasot", sequences=LASOT_TEST, folders=("LaSOT",)),
    Benchmark(
        name="TrackingNet", family="trackingnet", layout="trackingnet", count=511, folders=("TrackingNet",)
    ),
    Benchmark(name="GOT-10k", family="got10k", layout="got10k", folders=("GOT-10k",)),
    *(
        Benchmark(
            name=f"VOT{year}",
            family="vot",
            layout="vot",
            count=count,
            folders=(f"VOT{year}",),
            eao_bounds=bounds,
        )
        for year, count, bounds in (  # the challenges of 2013 and 2014 had no expected average overlap
            (2013, 16, None),
            (2014, 25, None),
            (2015, 60, (108, 371)),
            (2016, 60, (108, 371)),
            (2017, 60, (100, 356)),
            (2018, 60, (100, 356)),
            (2019, 60, (46, 291)),
        )
    ),
    Benchmark(name="VOT", family="vot", layout="vot", folders=("VOT",)),
)
BENCHMARKS = {benchmark.name: benchmark for benchmark in _KNOWN}
_ALIASES = {
    "OTBtb50": "OTB50",
    "OTB100": "OTB2015",
    "OTBtb100": "OTB2015",
    "OTB-folder": "OTB",
    "NfS": "NfS240",
    "NfS/240": "NfS240",
    "NfS/30": "NfS30",
    "GOT10k": "GOT-10k",
}


def folder_key(name: str) -> str:
    """A folder's name without case and separators, to compare it with names of benchmarks."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def folder_keys(benchmark: Benchmark) -> frozenset[str]:
    """What folders of this benchmark's results are called, as `folder_key` spells it."""
    aliases = [alias for alias, name in _ALIASES.items() if name == benchmark.name]
    return frozenset(map(folder_key, (benchmark.name, *benchmark.folders, *aliases)))


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; ConfigError with the nearest known name otherwise."""
    try:
        return BENCHMARKS[_ALIASES.get(name, name)]
    except KeyError:
        raise ConfigError(f"Unknown benchmark {name!r}; {nearest(name, BENCHMARKS)}") from None

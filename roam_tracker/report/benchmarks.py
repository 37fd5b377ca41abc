"""The benchmarks as data: names, families, sequences, bounds."""

from dataclasses import dataclass
from typing import Literal

from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest

Family = Literal["otb", "got10k", "vot"]

# Sequences of the OTB versions. Two targets in one video count as two sequences: Jogging.1, Jogging.2.
_OTB50 = """
Basketball Biker Bird1 BlurBody BlurCar2 BlurFace BlurOwl Bolt Box Car1 Car4 CarDark CarScale ClifBar Couple
Crowds David Deer Diving DragonBaby Dudek Football Freeman4 Girl Human3 Human4 Human6 Human9 Ironman Jump
Jumping Liquor Matrix MotorRolling Panda RedTeam Shaking Singer2 Skating1 Skating2.1 Skating2.2 Skiing Soccer
Surfer Sylvester Tiger2 Trellis Walking Walking2 Woman"""
_OTB2013 = """
Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1 Doll Dudek
FaceOcc1 FaceOcc2 Fish FleetFace Football Football1 Freeman1 Freeman3 Freeman4 Girl Ironman Jogging.1
Jogging.2 Jumping Lemming Liquor Matrix Mhyang MotorRolling MountainBike Shaking Singer1 Singer2 Skating1
Skiing Soccer Subway Suv Sylvester Tiger1 Tiger2 Trellis Walking Walking2 Woman"""
_OTB2015_REST = """
Bird2 BlurCar1 BlurCar3 BlurCar4 Board Bolt2 Boy Car2 Car24 Coke Coupon Crossing Dancer Dancer2 David2 David3
Dog Dog1 Doll FaceOcc1 FaceOcc2 Fish FleetFace Football1 Freeman1 Freeman3 Girl2 Gym Human2 Human5 Human7
Human8 Jogging.1 Jogging.2 KiteSurf Lemming Man Mhyang MountainBike Rubik Singer1 Skater Skater2 Subway Suv
Tiger1 Toy Trans Twinnings Vase"""

# Frames (first, last; counted from 1) of the OTB videos that are annotated in part.
OTB_RANGES = {
    "David": (300, 770),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Diving": (1, 215),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What the report must know of a benchmark.

    sequences:  its published sequence names; empty where the ground truth folder decides
    folders:    names of its folder under a results folder, in order of trial
    eao_bounds: (low, high) sequence lengths of the expected average overlap, both included
    """

    name: str
    family: Family
    sequences: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    eao_bounds: tuple[int, int] | None = None

    @property
    def slug(self) -> str:
        """The name in files: lower case."""
        return self.name.lower()


_KNOWN = (
    Benchmark(
        name="OTB2013", family="otb", sequences=frozenset(_OTB2013.split()), folders=("OTB2013", "OTBotb2013")
    ),
    Benchmark(name="OTB50", family="otb", sequences=frozenset(_OTB50.split()), folders=("OTBtb50", "OTB50")),
    Benchmark(
        name="OTB2015",
        family="otb",
        sequences=frozenset((_OTB50 + _OTB2015_REST).split()),
        folders=("OTB2015", "OTBotb2015", "OTBtb100", "OTB100"),
    ),
    Benchmark(name="OTB", family="otb", folders=("OTB", "OTB-folder")),
    Benchmark(name="GOT-10k", family="got10k", folders=("GOT-10k",)),
    Benchmark(name="VOT2016", family="vot", folders=("VOT2016",), eao_bounds=(108, 371)),
    Benchmark(name="VOT2017", family="vot", folders=("VOT2017",), eao_bounds=(100, 356)),
    Benchmark(name="VOT2018", family="vot", folders=("VOT2018",), eao_bounds=(100, 356)),
    Benchmark(name="VOT", family="vot", folders=("VOT",)),
)
BENCHMARKS = {benchmark.name: benchmark for benchmark in _KNOWN}
_ALIASES = {"OTBtb50": "OTB50", "OTB100": "OTB2015", "OTBtb100": "OTB2015", "OTB-folder": "OTB"}

# Bounds of the stacks that the VOT toolkit ships, by the name a workspace may give.
STACK_BOUNDS = {
    "vot2016/rgb": (108, 371),
    "vot2017": (100, 356),
    "vot2018/shortterm": (100, 356),
    "vot2019/shortterm": (46, 291),
}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; ConfigError with the nearest known name otherwise."""
    try:
        return BENCHMARKS[_ALIASES.get(name, name)]
    except KeyError:
        raise ConfigError(f"Unknown benchmark {name!r}; {nearest(name, BENCHMARKS)}") from None


def otb_name(name: str) -> str:
    """One spelling for an OTB sequence: Jogging-1 and Jogging.1 are Jogging.1, Human4-2 is Human4."""
    stem, mark, target = name.replace("-", ".").rpartition(".")
    if stem == "Human4":
        return stem
    return f"{stem}{mark}{target}" if stem in ("Jogging", "Skating2") and target in ("1", "2") else name

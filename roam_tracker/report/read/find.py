"""Which files below a results folder are results, of which tracker and sequence, and which are left over.

Results lie in `<tracker>/<sequence>.txt`, GOT-10k's also in `<tracker>/<sequence>/<sequence>_001.txt`, VOT's
in `<tracker>/<experiment>/<sequence>/<sequence>_001.txt`. Any folder may be an archive, and further folders
may lie around and between. Everything is walked once: a file is a result if its name is a sequence's.
"""

import difflib
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from roam_tracker.datasets.lists import OTB2015
from roam_tracker.datasets.names import Spelling, otb_name
from roam_tracker.datasets.truth import some
from roam_tracker.errors import ResultError
from roam_tracker.report.benchmarks import BENCHMARKS, Benchmark, folder_key, folder_keys
from roam_tracker.report.read.archives import NAMED, Archives, is_archive, stem
from roam_tracker.report.runs import ONE_PASS, grouped

_READ, _READ_VOT = (".txt", ".csv", ".tsv", ".json", ".mat"), (".bin", ".txt")
# endings of files that go with a sequence and hold no result
_SILENT = {".value", ".log", ".html", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".mp4", ".avi"}
# what toolkits leave beside results; folders around results that name no tracker
_BESIDE = {"times", "recordings", "logs", "analysis", "cache"}
_AROUND = {
    "results",
    "result",
    "trackingresults",
    "rawresults",
    "resultsope",
    "ope",
    "bbox",
    "boxes",
    "txt",
    "mat",
}
_COMPANION = re.compile(r"_(times?|all_boxes|all_scores|scores?|confidence|object_presence_scores)$")
_PREFIX = re.compile(r"^(otb|uav|nfs|tpl|tc128|lasot|got10k|got|trackingnet|dtb)\d*_(?=.)", re.IGNORECASE)
_REPETITION = re.compile(r"^(.+)_(\d{3,})$")
_EXPERIMENTS = {"baseline", "realtime", "unsupervised"}
_SHOWN = 10  # names in a sentence
_NO_SEQUENCE = "{count} named like no sequence of {known}"
_NO_TRUTH = "{count} without ground truth in {truth}"
_OTHER_LIST = "{count} of sequences that {name} does not have"
_OTHER_BENCHMARK = "has results of other benchmarks alone"
_VOT_PLACE = "{count} elsewhere than in <tracker>/<experiment>/<sequence>/<sequence>_001.txt"
_ALL_KEYS = frozenset().union(*map(folder_keys, BENCHMARKS.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A result file; `shown` is its path as the user knows it, also inside of an archive."""

    path: Path
    shown: Path
    tracker: str
    experiment: str = ONE_PASS
    sequence: str
    repetition: int = 1


@dataclass
class Search:
    """What was found, and what was left over.

    root:    the folder in which the trackers lie
    left:    tracker or folder, and why something of it is not in the table; aside: what rightly is not
    unknown: names of results without ground truth
    """

    root: Path
    found: list[Found] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _File:
    """A file, the folders between it and the results folder (an archive is one), those that count for names.

    benchmark: the key of a benchmark that one of the folders is named after
    """

    path: Path
    folders: tuple[str, ...]
    kept: tuple[str, ...] = ()
    benchmark: str = ""

    @property
    def top(self) -> str:
        """The outermost folder, or the file itself."""
        return self.folders[0] if self.folders else self.path.name


def search(
    benchmark: Benchmark, root: Path, known: Collection[str], annotations: Path, archives: Archives
) -> Search:
    """Find the results of a benchmark; known: the sequences that have ground truth in `annotations`.

    Raises ResultError if there is nothing that could be a result.
    """
    return _Finder(benchmark, root, known, annotations, archives).search()


class _Finder:
    """One search."""

    def __init__(
        self, benchmark: Benchmark, root: Path, known: Collection[str], annotations: Path, archives: Archives
    ) -> None:
        workspace = benchmark.family == "vot" and (root / "config.yaml").is_file()
        self.benchmark, self.known, self.archives = benchmark, known, archives
        self.root = root / "results" if workspace else root
        self.annotations = archives.named(str(annotations))
        self.names = {*known, *benchmark.sequences}
        self.spelling = Spelling(self.names)
        self.own = folder_keys(benchmark)
        self.left: list[tuple[str, str, str]] = []  # tracker or folder, reason, file
        self.suspects: list[tuple[str, str, str]] = []  # likewise, if the tracker has nothing else
        self.aside: list[tuple[str, str, str]] = []  # likewise, but rightly so
        self.result = Search(self.root)

    def search(self) -> Search:
        placed = [self._placed(file) for file in self._walk(self.root, ())]
        found = self._named([one for file in self._of_benchmark(placed) for one in self._identify(file)])
        tops = {one.tracker.partition("/")[0] for one in found}
        self.left += [entry for entry in self.suspects if entry[0].partition("/")[0] not in tops]
        self.result.left, self.result.aside = self._sentences(self.left), self._sentences(self.aside)
        self.result.found = sorted(
            found, key=lambda one: (one.tracker, one.experiment, one.sequence, one.repetition, one.path)
        )
        return self.result

    # ---------------------------------------------------------------- every file, and where it lies

    def _walk(self, folder: Path, folders: tuple[str, ...], archive: bool = False) -> Iterator[_File]:
        entries = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.name != "__MACOSX")
        names = {path.name for path in entries if path.is_dir()}
        if not entries and folders:
            self.suspects.append(("/".join(folders), "the folder is empty. Run the tracker", ""))
        for path in entries:
            if path.is_dir():
                doubled = archive and (path.name,) == folders[-1:]  # ECO.zip has a folder ECO
                if path.name not in _BESIDE:
                    yield from self._walk(path, folders if doubled else (*folders, path.name))
            elif not is_archive(path):
                yield _File(path, folders)
            elif stem(path) in names:
                self.result.notes.append(
                    f"{self._shown(path)} was not opened: the folder {stem(path)} beside it is read."
                )
            else:
                try:
                    inside = self.archives.folder(path, ResultError)
                except ResultError as error:
                    self.left.append((stem(path), str(error).removesuffix("."), ""))
                else:
                    yield from self._walk(inside, (*folders, stem(path)), True)

    def _placed(self, file: _File) -> _File:
        """The file with the folders that say something, and the benchmark that one of them names."""
        kept, named, index = [], "", 0
        keys = [folder_key(folder) for folder in file.folders]
        while index < len(keys):
            two, key = "".join(keys[index : index + 2]), keys[index]
            if two in self.own:  # NfS/240
                named, index = two, index + 1
            elif key in _ALL_KEYS:
                named = key if not named or key in self.own else named
            elif key not in _AROUND:
                kept.append(file.folders[index])
            index += 1
        return replace(file, kept=tuple(kept), benchmark=named)

    def _of_benchmark(self, files: Sequence[_File]) -> Iterator[_File]:
        """The files in the benchmark's own folder if there is one, else all but those of other benchmarks."""
        tops = {file.top for file in files if file.benchmark in self.own}
        order = [name.partition("/")[0] for name in self.benchmark.folders]
        chosen = next((name for name in order if name in tops), None)
        if chosen is not None:
            self.result.root = self.root / chosen
        for file in files:
            if file.benchmark and file.benchmark not in self.own:
                if folder_key(file.top) not in _ALL_KEYS:
                    self.suspects.append((file.top, _OTHER_BENCHMARK, file.folders[-1]))
            elif chosen is None or file.top == chosen:
                yield file
            elif self._name_of(file.path.stem)[0] in self.known:
                place = self._shown(self.root / chosen)
                self._leave(
                    file.top, f"lies beside {place}, which is read. Move it there, or give it as --results"
                )

    # ---------------------------------------------------------------- what a file is

    def _identify(self, file: _File) -> Iterator[Found]:
        """The result that the file is, if it is one; what only looks like one is left over."""
        vot = self.benchmark.family == "vot"
        suffix, (name, repetition) = file.path.suffix.lower(), self._name_of(file.path.stem)
        if file.path.name == "manifest.json":
            self.suspects.append((self._label(file), "has no result. Run the tracker", ""))
            return
        if _COMPANION.search(file.path.stem):
            return
        if suffix not in (_READ_VOT if vot else _READ):
            self._leave_unread(file, suffix, name)
            return
        tracker, experiment = file.kept, ONE_PASS
        if vot:
            placed = self._vot_place(file)
            if placed is None:
                if name in self.names or _looks_like_boxes(file.path):
                    self._leave(self._label(file), _VOT_PLACE, self._inside(file))
                return
            tracker, experiment, name, repetition = placed
        elif tracker and self._name_of(tracker[-1])[0] == name:
            tracker = tracker[:-1]  # the sequence's own folder
        if name not in self.names and (suffix == ".mat" or not tracker):
            name, tracker = self._with_tracker(file.path.stem, name, tracker)
        if name in self.known:
            shown = Path(self._shown(file.path))
            yield Found(
                path=file.path,
                shown=shown,
                tracker="/".join(tracker),
                experiment=experiment,
                sequence=name,
                repetition=repetition,
            )
        elif name in self.names:
            self.result.unknown.append(name)
            self._leave(self._label(file), _NO_TRUTH, name)
        elif self.benchmark.layout == "otb" and otb_name(name) in OTB2015:
            self.aside.append((self._label(file), _OTHER_LIST, otb_name(name)))
        elif suffix in (".bin", ".mat") or _looks_like_boxes(file.path):
            self.result.unknown.append(name)
            self._leave(self._label(file), _NO_SEQUENCE, f"{self._inside(file)}{self._hint(name)}")

    def _name_of(self, text: str) -> tuple[str, int]:
        """The sequence that a file is named after, in the truth's spelling, and the repetition."""
        numbered = _REPETITION.match(text)
        stems = [(text, 1)] + ([(numbered[1], int(numbered[2]))] if numbered else [])
        for name, repetition in stems:
            for short in dict.fromkeys((name, _PREFIX.sub("", name))):
                spelt = self.spelling(short)
                if spelt in self.names:
                    return spelt, repetition
        return text, 1

    def _vot_place(self, file: _File) -> tuple[tuple[str, ...], str, str, int] | None:
        """Tracker folders, experiment, sequence and repetition of `.../<sequence>/<sequence>_001`."""
        numbered = _REPETITION.match(file.path.stem)
        if not numbered or len(file.kept) < 2 or numbered[1] != file.kept[-1]:
            return None
        *tracker, experiment, sequence = file.kept
        if not tracker and experiment not in _EXPERIMENTS:
            return None
        return tuple(tracker), experiment, self.spelling(sequence), int(numbered[2])

    def _with_tracker(self, text: str, name: str, tracker: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Sequence and tracker of `<sequence>_<tracker>`, as OTB's own results are named."""
        for place in sorted((match.start() for match in re.finditer("_", text)), reverse=True):
            sequence = self.spelling(text[:place])
            if sequence in self.names:
                return sequence, tracker or (text[place + 1 :],)
        return name, tracker

    def _leave_unread(self, file: _File, suffix: str, name: str) -> None:
        """Name a file whose ending is not read, if it may be a result."""
        if suffix in (".rar", ".7z"):
            self._leave(self._label(file), f"{suffix} archives are not read. Unpack them", self._inside(file))
        elif suffix in NAMED or (name in self.names and suffix not in _SILENT):
            reason = (
                f"the ending {suffix or '(none)'} is not read. Write <sequence>.txt with x,y,w,h on each line"
            )
            entry = (self._label(file), reason, self._inside(file))
            (self.left if name in self.names else self.suspects).append(entry)

    # ---------------------------------------------------------------- names of trackers

    def _named(self, found: list[Found]) -> list[Found]:
        """The results with the shortest names of trackers that tell them apart."""
        paths = {one.tracker: tuple(filter(None, one.tracker.split("/"))) for one in found}
        if len(paths) > 1 and "" in paths:
            for one in (one for one in found if not one.tracker):
                self._leave(one.shown.name, "lies outside of any tracker's folder")
            found, _ = [one for one in found if one.tracker], paths.pop("")
        while len({path[:1] for path in paths.values()}) == 1 and all(
            len(path) > 1 for path in paths.values()
        ):
            paths = {full: path[1:] for full, path in paths.items()}  # a folder around all trackers
        names = {
            full: "/".join(part for part, _ in itertools.groupby(path)) or stem(self.root)
            for full, path in paths.items()
        }
        return [replace(one, tracker=names[one.tracker]) for one in found]

    # ---------------------------------------------------------------- what is left over

    def _label(self, file: _File) -> str:
        return file.kept[0] if file.kept else stem(self.root)

    def _inside(self, file: _File) -> str:
        """The file's place below the tracker's folder."""
        return "/".join((*file.kept[1:], file.path.name))

    def _shown(self, path: Path) -> str:
        return self.archives.named(str(path))

    def _leave(self, label: str, reason: str, file: str = "") -> None:
        self.left.append((label, reason, file))

    def _hint(self, name: str) -> str:
        """The sequences that may be meant by an unknown name."""
        targets = sorted(known for known in self.names if known.rpartition(".")[0] == self.spelling(name))
        if targets:
            return f" ({name} has {len(targets)} targets: {', '.join(targets)})"
        words = [self.spelling(word) for word in re.split(r"[-_. ]", name)]
        near = [word for word in words if word in self.names]
        for names in (self.known, self.names):
            near = near or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        return f" (did you mean {near[0]}?)" if near else ""

    def _sentences(self, entries: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
        """One sentence per tracker and reason."""
        return [
            (label, self._sentence(reason, [file for *_, file in own if file]))
            for (label, reason), own in grouped(entries, lambda entry: entry[:2]).items()
        ]

    def _sentence(self, reason: str, files: list[str]) -> str:
        if not files:
            return f"{reason}."
        known = self.benchmark.name if self.benchmark.sequences else self.annotations
        count = f"{len(files)} result file{'s' * (len(files) > 1)}"
        start = reason.format(count=count, known=known, truth=self.annotations, name=self.benchmark.name)
        return f"{start}: {some(sorted(set(files)), _SHOWN)}."


def _looks_like_boxes(path: Path) -> bool:
    """Whether the first line with numbers has at least four of them, or JSON has runs with 'res'."""
    with path.open("rb") as file:
        start = file.read(2000).decode("utf-8", errors="replace")
    if path.suffix.lower() == ".json":
        return '"res"' in start
    for line in start.splitlines()[:3]:
        words = re.split(r"[,;\s]+", line.strip(" \t,;[]()"))
        try:
            return len([float(word) for word in words]) >= 4
        except ValueError:
            continue
    return False

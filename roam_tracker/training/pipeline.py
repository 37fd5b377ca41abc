"""From videos to a weights file: the two stages, each kept on disk so that a run can be resumed.

Beside `NAME.safetensors`, the result, lie

    NAME.<stage>.checkpoint     where each stage stands; the last one of a stage is its result
    NAME.start.safetensors      theta(0) and lambda(0) before the recurrent updates joined
    NAME.csv                    the figures of every outer step
"""

import csv
import dataclasses
import functools
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from roam_tracker.core import backbone
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.views import views
from roam_tracker.files import write_atomic
from roam_tracker.provenance import versions
from roam_tracker.tracker import RoamTracker
from roam_tracker.training.checkpoint import History, load_checkpoint
from roam_tracker.training.clips import Clip, draw_clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.distributed import World
from roam_tracker.training.loop import Run, Stage, run_stage
from roam_tracker.training.parameters import (
    Parameters,
    model_weights,
    new_parameters,
    whitens,
    with_start,
)
from roam_tracker.training.sources import ClipSource
from roam_tracker.training.store import ClipStore
from roam_tracker.training.validation import mean_overlaps
from roam_tracker.training.videos import Video
from roam_tracker.training.whitening import with_whitening


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, on what, and where to keep it."""

    config: TrackerConfig
    training: TrainingConfig
    source: ClipSource
    data: dict[str, list[str]]  # names of what the source draws from
    trunk: dict[str, Tensor]  # the backbone's tensors
    out: Path  # the weights file, *.safetensors
    held: tuple[Video, ...] = ()  # tracked for validation, never trained on
    start: dict[str, Tensor] | None = None  # theta0 and lambda0 of another run; the first stage is left out
    cache: Path | None = None  # folder of clips; None: a temporary one
    workers: int = 1  # processes that draw clips
    log: Callable[[str], None] = lambda line: None
    on_row: Callable[[dict[str, float]], None] = lambda row: None
    world: World = field(default_factory=World)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))  # of the outer steps


def train(job: Job) -> dict[str, float]:
    """Run or resume the stages and write the weights; returns the score of each held-back video.

    With held-back videos the weights are those of the stage's steps that track them best.
    """
    for name in ("start", "update"):
        if _checkpoint(job, name).exists():  # one of another run is refused before clips are drawn
            load_checkpoint(_checkpoint(job, name), _settings(job))
    training, trunk = job.training, _of_backbone(job)
    if whitens(job.config) and "whiten.weight" not in trunk:
        trunk = with_whitening(job.config, training, job.source, trunk, _skip(job))
    generator = torch.Generator().manual_seed(training.seed)
    parameters = new_parameters(job.config, training, generator)
    history: History = []
    if job.start is not None:
        parameters = with_start(parameters, job.config, training, job.start)
    parameters = {name: value.detach().to(job.device).requires_grad_() for name, value in parameters.items()}
    with tempfile.TemporaryDirectory() as temporary:
        store = _clips(job, trunk, job.cache or Path(job.world.agreed(temporary)))
        if job.start is None and training.start_iterations > 0:
            short = round(store.count * (1 - training.long_share)) or store.count
            stage = Stage("start", training.start_iterations, 0)
            history = _run(job, stage, parameters, short, lambda k, rng: store[k], history)
            start = {
                name: value for name, value in parameters.items() if name in ("unit_theta0", "log_lambda0")
            }
            learned = model_weights(job.config, training, start)
            _write(job, job.out.with_suffix(".start.safetensors"), trunk, learned, {})
        best = _Best(job, trunk)
        stage = Stage(
            "update", training.iterations, job.config.update.steps, best.validate if job.held else None
        )
        history = _run(job, stage, parameters, store.count, lambda k, rng: store[k], history)
    if job.world.rank == 0:
        write_history(job.out.with_suffix(".csv"), history)
        if best.best < 0:  # nothing was validated
            best.keep_better(parameters, training.iterations)
    return best.scores


class _Best:
    """Tracks the held-back videos with intermediate weights; the best ones so far are in the job's file."""

    def __init__(self, job: Job, trunk: dict[str, Tensor]) -> None:
        self.job, self.trunk = job, trunk
        self.best, self.scores = -1.0, dict[str, float]()
        if _checkpoint(job, "update").exists():  # a resumed run keeps what it had found
            self.scores = _scores(job)
            self.best = float(np.mean(list(self.scores.values()))) if self.scores else -1.0

    def validate(self, parameters: Parameters, step: int) -> float:
        value = self.keep_better(parameters, step) if self.job.world.rank == 0 else 0.0
        self.job.world.wait()
        return value

    def keep_better(self, parameters: Parameters, step: int) -> float:
        job, learned = self.job, model_weights(self.job.config, self.job.training, parameters)
        tried = job.out.with_suffix(".latest.safetensors")
        _write(job, tried, self.trunk, learned, {"step": str(step)})
        scores = mean_overlaps(RoamTracker(dataclasses.replace(job.config, weights=str(tried))), job.held)
        tried.unlink()
        value = float(np.mean(list(scores.values()))) if scores else 0.0
        if not value <= self.best:  # a score that is no number still leaves weights
            self.best, self.scores = value, scores
            about = {"step": str(step), "validation": json.dumps(scores)}
            _write(job, job.out, self.trunk, learned, about)
        if scores:
            job.log(f"after {step} steps: mean overlap on held-back videos {value:.4f}")
        return value


def _of_backbone(job: Job) -> dict[str, Tensor]:
    """The trunk's tensors in the order of its layers; files of weights come in any order, with others."""
    layers = backbone.backbone_spec(job.config.model.backbone).layers
    names = [f"{layer.name}.{part}" for layer in layers for part in ("weight", "bias")]
    return {name: job.trunk[name] for name in names if name in job.trunk}


def _run(
    job: Job,
    stage: Stage,
    parameters: Parameters,
    clips: int,
    draw: Callable[[int, np.random.Generator], Clip],
    history: History,
) -> History:
    return run_stage(stage, job.config, job.training, parameters, clips, draw, _of(job, stage), history)


def _of(job: Job, stage: Stage) -> Run:
    return Run(_settings(job), _checkpoint(job, stage.name), job.log, job.on_row, job.world)


def _checkpoint(job: Job, stage: str) -> Path:
    return job.out.with_suffix(f".{stage}.checkpoint")


def _skip(job: Job) -> Callable[[str], None]:
    return lambda why: job.log(f"clip skipped: {why}")


def _clips(job: Job, trunk: dict[str, Tensor], folder: Path) -> ClipStore:
    """The clips of the run, the long ones last."""
    training = job.training
    depends_on: dict[str, object] = {
        "source": job.data,
        "backbone": _digest(trunk),
        "search": dataclasses.asdict(job.config.search),
        "first": [str(view) for view in views(job.config.update)],
        "tau": job.config.update.every_frames,
        "drawing": training.drawing(),
    }
    store = ClipStore(folder, training.clips, training.data_seed, depends_on)
    long_from = training.clips - round(training.clips * training.long_share)
    draw = functools.partial(_draw, job.source, job.config, training, trunk, long_from)
    store.fill(draw, job.world, job.workers, job.log)
    return store


def _draw(
    source: ClipSource,
    config: TrackerConfig,
    training: TrainingConfig,
    trunk: dict[str, Tensor],
    long_from: int,
    number: int,
    rng: np.random.Generator,
) -> Clip:
    updates = training.updates if number < long_from else training.long_updates
    length = 1 + updates * config.update.every_frames
    return draw_clip(source, rng, config, training, trunk, length=length)


def _settings(job: Job) -> str:
    """What a run that is resumed must share with the one that was stopped."""
    return json.dumps(
        {
            "preset": dataclasses.asdict(job.config),
            "training": dataclasses.asdict(job.training),
            "data": job.data,
            "held_back": [video.name for video in job.held],
            "trunk": _digest(job.trunk),
            "start": _digest(job.start or {}),
            "processes": job.world.size,
        },
        sort_keys=True,
    )


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {tuple(value.shape)}".encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _write(
    job: Job, path: Path, trunk: dict[str, Tensor], learned: dict[str, Tensor], about: dict[str, str]
) -> None:
    """A weights file: the backbone in half precision where it ships with them, and what is learned."""
    if job.world.rank > 0:
        return
    published = backbone.backbone_spec(job.config.model.backbone).apart
    tensors = {} if published else {name: value.half() for name, value in trunk.items()}
    tensors |= {name: value.detach() for name, value in learned.items()}
    metadata = _about(job) | {"versions": json.dumps(versions())} | about
    write_atomic(path, save({name: value.contiguous() for name, value in tensors.items()}, metadata))


def _about(job: Job) -> dict[str, str]:
    return {
        "preset": json.dumps(dataclasses.asdict(job.config)),
        "training": json.dumps(dataclasses.asdict(job.training)),
        "data": json.dumps(job.data),
        "held_back": json.dumps([video.name for video in job.held]),
    }


def _scores(job: Job) -> dict[str, float]:
    """The score of each held-back video with the weights that this job has written; {} without such."""
    try:
        with safe_open(job.out, "pt") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError):
        return {}
    same = all(about.get(name) == value for name, value in _about(job).items())
    scores: dict[str, float] = json.loads(about.get("validation", "{}")) if same else {}
    return scores


def write_history(path: Path, history: History) -> None:
    """One line an outer step; a figure that a step does not have is left empty."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in history for name in row))
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in history)
    write_atomic(path, text.getvalue())

"""`roam train`: train a preset's weights on videos with boxes and on stills."""

import argparse
import dataclasses
from pathlib import Path

import cv2

from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import load_preset
from roam_tracker.errors import ConfigError, InputError
from roam_tracker.files import nearest
from roam_tracker.tracker import find_device, keep_large_blocks
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.distributed import joined
from roam_tracker.training.logs import tensorboard
from roam_tracker.training.pipeline import Job, train
from roam_tracker.training.sources import ClipSource, FromVideos, Mixed
from roam_tracker.training.stills import find_stills
from roam_tracker.training.synthetic import FromStills
from roam_tracker.training.videos import find_videos
from roam_tracker.weights import load_weights
from roam_tracker.weights.backbones import load_backbone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add(
        "--videos",
        type=Path,
        nargs="+",
        required=True,
        help="folders of videos: <video>/groundtruth.txt or masks beside their frames, or the root of "
        "ILSVRC-VID, GOT-10k, TrackingNet or LaSOT",
    )
    add(
        "--stills",
        type=Path,
        nargs="*",
        default=[],
        help="folders of photos with masks, polygons or boxes, of which clips are made; of photos alone: "
        "backgrounds",
    )
    add("--hold-back", nargs="*", default=[], metavar="VIDEO", help="videos kept for validation")
    add("--validation", type=Path, nargs="*", default=[], help="folders of further videos for validation")
    add("--trunk", help="file with the backbone's tensors (default: the shipped one, or as roam fetch says)")
    add("--start", help="weights whose theta(0) and lambda(0) to start from, in place of the first stages")
    add("--out", type=Path, required=True, help="weights file to write (.safetensors), others beside it")
    add("--cache", type=Path, help="folder to keep clips in, for other runs on the same data")
    add("--preset", default="default", help="preset to train for (default: %(default)s)")
    add("--workers", type=int, default=1, help="processes that draw clips (default: %(default)s)")
    add("--device", default="cpu", help="device of the outer steps (default: %(default)s)")
    add("--tensorboard", type=Path, help="folder to log to as well; needs the extra roam-tracker[train]")
    for setting in dataclasses.fields(TrainingConfig):
        option = f"--{setting.name.replace('_', '-')}"
        if isinstance(setting.default, bool):
            add(option, action=argparse.BooleanOptionalAction, default=setting.default)
        elif isinstance(setting.default, int | float | str):
            add(option, type=type(setting.default), default=setting.default)


def run(args: argparse.Namespace) -> int:
    """Train or resume, write the weights, and tell how they track the held-back videos."""
    if args.out.suffix != ".safetensors":
        raise ConfigError(f"--out must end in .safetensors, got {args.out}.")
    keep_large_blocks()
    cv2.setNumThreads(1)  # it would take all cores, beside the other processes
    config = load_preset(args.preset)
    training = TrainingConfig(
        **{
            field.name: getattr(args, field.name)
            for field in dataclasses.fields(TrainingConfig)
            if hasattr(args, field.name)
        }
    )
    videos = [video for root in args.videos for video in find_videos(root)]
    names = [video.name for video in videos]
    for name in args.hold_back:
        if name not in names:
            raise InputError(f"--hold-back: there is no video {name!r}; {nearest(name, names)}")
    held = [video for video in videos if video.name in args.hold_back]
    held += [video for root in args.validation for video in find_videos(root)]
    trained_on = [video for video in videos if video.name not in args.hold_back]
    by_folder = {root: find_stills(root) for root in args.stills}
    stills = [still for found in by_folder.values() for still in found]
    source: ClipSource = FromVideos(trained_on)
    if stills:
        source = Mixed(source, FromStills(stills), training.synthetic_share)
    data = {
        "videos": [video.name for video in trained_on],
        "stills": [f"{root.name}: {len(found)}" for root, found in by_folder.items()],
    }
    name = config.model.backbone
    published = backbone_spec(name).apart
    with (
        joined(find_device(args.device)) as world,
        tensorboard(args.tensorboard if world.rank == 0 else None) as on_row,
    ):
        job = Job(
            config,
            training,
            source,
            data,
            load_backbone(name, args.trunk) if published else load_weights(args.trunk or "lite0"),
            args.out,
            tuple(held),
            load_weights(args.start) if args.start else None,
            args.cache,
            args.workers,
            (lambda line: print(line, flush=True)) if world.rank == 0 else (lambda line: None),
            on_row,
            world,
            find_device(args.device),
        )
        scores = train(job)
    if world.rank > 0:
        return 0
    print(f"wrote {args.out}")
    for video, score in scores.items():
        print(f"{video:24s} mean overlap {score:.3f}")
    if scores:
        print(f"{'held-back videos':24s} mean overlap {sum(scores.values()) / len(scores):.3f}")
    return 0

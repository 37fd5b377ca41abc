"""`roam train`: train a preset's weights on folders of videos with boxes."""

import argparse
import dataclasses
import json
from pathlib import Path

from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import load_preset
from roam_tracker.errors import ConfigError, InputError
from roam_tracker.files import nearest
from roam_tracker.tracker import RoamTracker, keep_large_blocks
from roam_tracker.training.clips import find_videos
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.loop import save_trained, train
from roam_tracker.training.validation import mean_overlaps
from roam_tracker.version import __version__
from roam_tracker.weights import load_weights
from roam_tracker.weights.backbones import load_backbone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--videos", type=Path, required=True, help="folder of <video>/groundtruth.txt and its frames"
    )
    parser.add_argument(
        "--trunk", help="file with the backbone's tensors (default: the shipped one, or as roam fetch says)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="weights file to write (.safetensors); a .csv beside it"
    )
    parser.add_argument("--preset", default="default", help="preset to train for (default: %(default)s)")
    parser.add_argument(
        "--hold-back", nargs="*", default=[], metavar="VIDEO", help="videos kept for validation"
    )
    for setting in dataclasses.fields(TrainingConfig):
        if isinstance(setting.default, int | float):
            parser.add_argument(
                f"--{setting.name.replace('_', '-')}", type=type(setting.default), default=setting.default
            )


def run(args: argparse.Namespace) -> int:
    """Train, write the weights with their settings as metadata, and track the held-back videos."""
    if args.out.suffix != ".safetensors":
        raise ConfigError(f"--out must end in .safetensors, got {args.out}.")
    keep_large_blocks()
    config = load_preset(args.preset)
    settings = {
        field.name: getattr(args, field.name)
        for field in dataclasses.fields(TrainingConfig)
        if hasattr(args, field.name)
    }
    training = TrainingConfig(**settings)
    videos = find_videos(args.videos)
    names = [video.name for video in videos]
    for name in args.hold_back:
        if name not in names:
            raise InputError(f"--hold-back: no video {name!r} in {args.videos}; {nearest(name, names)}")
    held = [video for video in videos if video.name in args.hold_back]
    published = backbone_spec(config.model.backbone).file is not None
    backbone = config.model.backbone
    trunk = load_backbone(backbone, args.trunk) if published else load_weights(args.trunk or "default")
    trained = train(config, training, [v for v in videos if v not in held], trunk, print)
    metadata = {
        "version": __version__,
        "preset": json.dumps(dataclasses.asdict(config)),
        "training": json.dumps(dataclasses.asdict(training)),
        "videos": json.dumps([name for name in names if name not in args.hold_back]),
    }
    save_trained(trained, args.out, metadata)
    print(f"wrote {args.out}")
    if held:
        scores = mean_overlaps(RoamTracker(dataclasses.replace(config, weights=str(args.out))), held)
        for name, score in scores.items():
            print(f"{name:24s} mean overlap {score:.3f}")
        print(f"{'held-back videos':24s} mean overlap {sum(scores.values()) / len(scores):.3f}")
    return 0

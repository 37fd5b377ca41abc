"""`roam train-head`: train a box head on videos with boxes and on stills."""

import argparse
import dataclasses
import json
from pathlib import Path

import cv2
import torch
from safetensors.torch import save

from roam_tracker.core.config import load_preset
from roam_tracker.core.tracking import Model
from roam_tracker.errors import ConfigError, InputError
from roam_tracker.files import nearest, write_atomic
from roam_tracker.training.box_head import HeadTraining, draw_pairs, train_head
from roam_tracker.training.config import SyntheticConfig
from roam_tracker.training.sources import ClipSource, FromVideos, Mixed
from roam_tracker.training.stills import find_stills
from roam_tracker.training.synthetic import FromStills
from roam_tracker.training.videos import find_videos
from roam_tracker.weights import weights_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("--videos", type=Path, nargs="+", required=True, help="folders of videos, as of roam train")
    add("--hold-back", nargs="*", default=[], metavar="VIDEO", help="videos that the head is measured on")
    add("--stills", type=Path, nargs="*", default=[], help="folders of photos, as of roam train")
    add(
        "--made-share",
        type=float,
        default=0.65,
        help="share of the clips made of stills (default: %(default)s)",
    )
    add(
        "--part-share",
        type=float,
        default=0.3,
        help="share of the made clips whose target is a part of the object (default: %(default)s)",
    )
    add(
        "--out",
        type=Path,
        required=True,
        help="weights file to write (.safetensors), for a preset's box.head",
    )
    add(
        "--preset",
        default="default",
        help="preset whose backbone and search region it is for (default: %(default)s)",
    )
    for setting in dataclasses.fields(HeadTraining):
        add(f"--{setting.name.replace('_', '-')}", type=type(setting.default), default=setting.default)


def run(args: argparse.Namespace) -> int:
    """Draw pairs, train, write the head."""
    if args.out.suffix != ".safetensors":
        raise ConfigError(f"--out must end in .safetensors, got {args.out}.")
    cv2.setNumThreads(1)
    settings = HeadTraining(
        **{field.name: getattr(args, field.name) for field in dataclasses.fields(HeadTraining)}
    )
    config = load_preset(args.preset)
    config = dataclasses.replace(config, box=dataclasses.replace(config.box, head=""))
    model = Model(config, weights_for(config), torch.device("cpu"))
    videos = [video for root in args.videos for video in find_videos(root)]
    stills = {root.name: find_stills(root) for root in args.stills}
    names = [video.name for video in videos]
    for name in args.hold_back:
        if name not in names:
            raise InputError(f"--hold-back: there is no video {name!r}; {nearest(name, names)}")
    held = None
    if args.hold_back:
        source: ClipSource = FromVideos([video for video in videos if video.name in args.hold_back])
        held = draw_pairs(source, model, dataclasses.replace(settings, clips=min(settings.clips, 100)), print)
        videos = [video for video in videos if video.name not in args.hold_back]
    source = FromVideos(videos)
    if stills:
        outlined = [still for found in stills.values() for still in found]
        made = FromStills(outlined, SyntheticConfig(part_share=args.part_share))
        source = Mixed(source, made, args.made_share)
    pairs = draw_pairs(source, model, settings, print)
    head = train_head(pairs, settings, print, held)
    shares = {"made_share": args.made_share, "part_share": args.part_share}
    metadata = {
        "kind": f"box head for the backbone {config.model.backbone}",
        "training": json.dumps(dataclasses.asdict(settings) | shares),
        "data": json.dumps(
            {"videos": [video.name for video in videos]} | {k: len(v) for k, v in stills.items()}
        ),
    }
    write_atomic(args.out, save({name: value.half().contiguous() for name, value in head.items()}, metadata))
    print(f"wrote {args.out}")
    return 0

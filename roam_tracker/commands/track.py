"""`roam track SOURCE`: follow an object through a video, a folder of images or what a camera sees."""

import argparse
import re
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        help="a video, a folder of images, frames/%%04d.jpg, a stream, or a camera's index, e.g. 0",
    )
    add("--box", metavar="X,Y,W,H", help="in the first frame, in px (default: draw it with the mouse)")
    add("--preset", default="default", help="a name or a TOML file (default: default)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--threads", type=int, default=1, metavar="N", help="of PyTorch; 0: as PyTorch likes (default: 1)")
    add("--start-frame", type=int, default=1, metavar="N", help="the first frame, counted from 1")
    add("--frames", type=int, default=0, metavar="N", help="at most so many frames (default: all)")
    add("--out", type=Path, metavar="DIR", help="write boxes.csv, boxes.txt and video.mp4 there")
    add("--csv", type=Path, metavar="FILE", help="write frame,x,y,w,h,score (default: print it)")
    add("--txt", type=Path, metavar="FILE", help="write x,y,w,h a line, as the toolkits do")
    add("--video", type=Path, metavar="FILE", help="write the frames with the box: .mp4, .avi, .webm")
    add("--response", action="store_true", help="draw the response map into the video, too")


def arranged(words: list[str]) -> list[str]:
    """The words of the command line, the four numbers of --box as one word that begins with no minus sign."""
    if "--box" not in words:
        return words
    place = words.index("--box")
    numbers: list[str] = []
    end = place + 1
    while len(numbers) < 4 and end < len(words) and re.fullmatch(r"[-+]?[\d.][-+\d.,eE]*", words[end]):
        numbers += filter(None, words[end].split(","))
        end += 1
    return [*words[:place], f"--box={','.join(numbers)}", *words[end:]] if numbers else words


def run(args: argparse.Namespace) -> int:
    """Track, write what was asked for; exit status 0."""
    from roam_tracker.tracker import RoamTracker
    from roam_tracker.video.follow import Outputs, Printer, draw_box, follow, read_box
    from roam_tracker.video.frames import Frames

    outputs = Outputs.chosen(args.out, args.csv, args.txt, args.video, args.response)
    box = None if args.box is None else read_box(args.box)
    frames = Frames(args.source, args.start_frame, args.frames)
    tracker = RoamTracker(args.preset, args.device, threads=args.threads or None)
    choose = draw_box if box is None else lambda image: box
    with Printer(rows=not outputs.files) as printer:
        track = follow(tracker, frames, choose, outputs, printer.row, printer.progress)
    print(*outputs.files, sep="\n", end="\n" if outputs.files else "")
    print(f"{len(track.rows)} frames, {track.rate:.1f} a second with reading and drawing", file=sys.stderr)
    return 0

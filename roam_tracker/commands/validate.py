"""`roam validate`: presets on the same targets from the same starts, with differences and their intervals."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from roam_tracker.files import check_place, write_atomic
from roam_tracker.provenance import command, versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add(
        "variants",
        nargs="+",
        metavar="VARIANT",
        help="a preset, a TOML file, or NAME=either; the first is what the others are compared with",
    )
    add("--videos", nargs="+", type=Path, default=[], metavar="DIR", help="folders of videos with boxes")
    add("--made", type=int, default=0, metavar="N", help="also so many made sequences with exact boxes")
    add("--frames", type=int, default=150, help="of each target at most so many (default 150)")
    add("--jitter", type=int, default=3, metavar="N", help="starts a target, the first exact (default 3)")
    add("--workers", type=int, default=2, metavar="N", help="processes of one thread each (default 2)")
    add("--targets", action="store_true", help="also a row a target")
    add("--json", type=Path, metavar="FILE", help="also write all scores")
    add("--cache", type=Path, metavar="DIR", help="keeps what was found (default: in the user's caches)")


def run(args: argparse.Namespace) -> int:
    """Track, and print a table."""
    import pandas as pd

    from roam_tracker.report.score.variants import score_track, summarise_variants
    from roam_tracker.report.show.lines import target_lines, variant_lines
    from roam_tracker.validation import find_targets, find_variants, track_all

    if args.json:
        check_place(args.json)
    variants = find_variants(args.variants)
    targets = find_targets(args.videos, args.made, args.frames)
    truths = {target.name: target.boxes for target in targets}
    rows: list[dict[str, Any]] = []
    began = time.monotonic()
    found = track_all(variants, targets, jitter=args.jitter, workers=args.workers, cache=args.cache)
    for done, tracks in enumerate(found, start=1):
        own = []
        for track in tracks:
            auc, precision = score_track(track.boxes, truths[track.target])
            own.append(
                {
                    "variant": track.variant,
                    "target": track.target,
                    "start": track.start,
                    "auc": auc,
                    "precision": precision,
                    "frames": len(track.boxes),
                    "seconds": track.seconds,
                    "diverged": track.diverged,
                    "kept": track.kept,
                }
            )
        rows += own
        print(f"{done}/{len(targets)} {_progress(own)}", file=sys.stderr, flush=True)
    order = {target.name: number for number, target in enumerate(targets)}
    names = [variant.name for variant in variants]
    rows.sort(key=lambda row: (names.index(row["variant"]), order[row["target"]], row["start"]))
    scores = pd.DataFrame(rows)
    summary = summarise_variants(scores)
    if args.targets:
        print("\n".join([*target_lines(scores), ""]))
    print("\n".join(variant_lines(summary)))
    print(
        f"\n{len(targets)} targets of at most {args.frames} frames, {args.jitter} starts each; "
        f"{len(rows) - scores['kept'].sum()} of {len(rows)} runs now, the others are kept from before; "
        f"{time.monotonic() - began:.0f} s"
    )
    if args.json:
        content = {
            "variants": [
                {"name": each.name, "weights_sha256": each.weights_sha256, "settings": each.settings()}
                for each in variants
            ],
            "summary": _plain(summary),
            "runs": _plain(scores),
            "frames": args.frames,
            "starts": args.jitter,
            "command": command(),
            "versions": versions(),
        }
        write_atomic(args.json, json.dumps(content, indent=1) + "\n")
    return 0


def _progress(rows: list[dict[str, Any]]) -> str:
    """`boat1: default .612, sgd .633; 12.1 s`, the seconds those of tracking now."""
    parts = []
    for name in dict.fromkeys(row["variant"] for row in rows):
        values = [row["auc"] for row in rows if row["variant"] == name]
        lost = " (diverged)" if any(row["diverged"] for row in rows if row["variant"] == name) else ""
        parts.append(f"{name} {sum(values) / len(values):.3f}{lost}")
    seconds = sum(row["seconds"] for row in rows if not row["kept"])
    return f"{rows[0]['target']}: {', '.join(parts)}; {seconds:.1f} s"


def _plain(table: Any) -> list[dict[str, Any]]:
    """Rows for JSON, which has no NaN."""
    records = json.loads(table.to_json(orient="records", double_precision=15))
    return list(records)

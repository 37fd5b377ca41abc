"""What runs, files and boxes promise, tried at random and counted; the exit status is 1 when one was broken.

    python tests/promises.py killed       runs of 20 sequences, killed at random moments and resumed
    python tests/promises.py written      processes killed at random moments while they write files
    python tests/promises.py same         the same sequences in fresh processes
    python tests/promises.py causal       frames after a random one replaced by noise
    python tests/promises.py independent  random orders of sequences and numbers of workers

Each takes --count and --seed. The suite tries a few of each (test_promises.py).
"""

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

import numpy as np
from PIL import Image

from roam_tracker.files import write_atomic
from roam_tracker.sample.render import KINDS, make_sequence
from roam_tracker.sample.write import write_sample

HERE = Path(__file__).parent
# the shipped tracker with a search region of 81 px, for speed
CHEAP = 'extends = "default"\n[search]\nbase_object_size = 16.0\n'


# Runs that are killed


def killed(count, seed, workers):
    """Kill a run of 20 sequences at a random moment, look at what lies there, resume, compare."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_sample(folder / "sample", frames=8, sequences=20, size=(96, 72))
        preload(folder)
        start = time.time()
        assert wait(begin(folder, "whole", workers)) == 0, said(folder, "whole")
        expected = results(folder / "whole")
        written_s = [path.stat().st_mtime - start for path in (folder / "whole/results").rglob("*.*")]
        first_s, last_s = min(written_s), max(written_s)
        kept, stages, left = 0, [0, 0, 0], 0
        for number in range(count):
            run = f"run{number}"
            process = begin(folder, run, workers)
            # one in five while it gets ready, the others while results are written
            time.sleep(draw.uniform(*((0, first_s) if draw.random() < 0.2 else (first_s, 1.1 * last_s))))
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)  # it leads a group: its workers die with it
            wait(process)
            fault, done = trusted(folder / run, expected)
            stages[0 if done == 0 else 1 if done < len(expected[1]) else 2] += 1
            left += sum(1 for path in (folder / run).rglob(".*") if path.is_file())
            status = wait(begin(folder, run, workers))
            if not fault and status != 0:
                fault = f"resumed with status {status}: {said(folder, run)}"
            if not fault and results(folder / run) != expected:
                fault = "other bytes than without the kill"
            kept += not fault
            if fault:
                print(f"{run}: {fault}")
            shutil.rmtree(folder / run)
    first, between, after = stages
    print(f"killed before the first finished sequence {first}, between {between}, after the last {after}")
    print(f"temporary files of killed writers, which nothing reads: {left}")
    return kept


def preload(folder):
    """Run the command once here, so that a process which is forked has all modules and is quickly at work."""
    (folder / "preload").mkdir()
    here = Path.cwd()
    os.chdir(folder / "preload")
    with redirect_stdout(io.StringIO()):
        assert command(folder / "sample/OTB", "trackers:Still", 0) == 0
    os.chdir(here)


def begin(folder, run, workers):
    """Start the command in a process that leads a group of its own; its id."""
    process = os.fork()
    if process:
        return process
    status = 3
    try:
        os.setsid()
        (folder / run).mkdir(exist_ok=True)
        os.chdir(folder / run)
        out = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        status = command(folder / "sample/OTB", "trackers:Still", workers)
    finally:
        os._exit(status)


def command(root, tracker, workers, *options):
    """`python -m got10k.experiments` in this process."""
    from roam_tracker.toolkits.experiments import main

    argv = ["--dataset", "folder", "--root", str(root), "--tracker", str(tracker), "--device", "cpu"]
    # limits are not what is tried here, and a machine may be busy with other things for minutes
    return main([*argv, "--workers", str(workers), "--timeout", "600", *options])


def wait(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def said(folder, run):
    return (folder / run / "said").read_text()[-500:]


def results(folder, tracker="Still"):
    """Boxes as bytes and what the manifest knows of them; raises where the two do not fit."""
    root = folder / "results/OTB" / tracker
    boxes = {path.name: path.read_bytes() for path in root.glob("*.txt")}
    runs = json.loads((root / "manifest.json").read_text())["runs"]
    known = {name: entry for run in runs for name, entry in run["sequences"].items()}
    for name, entry in known.items():
        assert hashlib.sha256(boxes[f"{name}.txt"]).hexdigest() == entry["sha256"]
        rows = (root / "times" / f"{name}_time.txt").read_text().count("\n")
        assert rows == entry["rows"] == boxes[f"{name}.txt"].count(b"\n")
    return boxes, known


def trusted(folder, expected):
    """What is wrong with the files that a killed run left ("" for nothing), and how many are finished."""
    root = folder / "results/OTB/Still"
    for path in root.glob("*.txt"):
        if path.read_bytes() != expected[0][path.name]:
            return f"{path.name} is not whole", 0
    if not (root / "manifest.json").exists():
        return "", 0
    try:
        known = results(folder)[1]
    except (AssertionError, KeyError, ValueError) as error:
        return f"the manifest does not fit the files ({error!r})", 0
    return "", len(known)


# Writers that are killed


def written(count, seed):
    """Kill a process that writes files again and again; each file must be there whole, old or new."""
    draw, kept, left, versions = random.Random(seed), 0, 0, set()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{number}.txt") for number in range(3)]
        for number in range(count):
            process = os.fork()
            if not process:
                write_for_ever(files, number)
            time.sleep(draw.uniform(0, 0.05))
            os.kill(process, signal.SIGKILL)
            wait(process)
            broken = [path.name for path in files if path.exists() and not is_whole(path.read_bytes())]
            kept += not broken
            if broken:
                print(f"kill {number}: {', '.join(broken)} not whole")
            versions |= {path.read_bytes()[:64] for path in files if path.exists()}
            left += len(list(Path(folder).iterdir())) - sum(path.exists() for path in files)
            for path in set(Path(folder).iterdir()) - set(files):
                path.unlink()
    print(f"{len(versions)} versions seen; {left} kills left a temporary file, which nothing reads")
    return kept


def write_for_ever(files, number):
    content = random.Random(number)
    while True:
        for path in files:
            body = content.randbytes(content.randrange(200_000))
            write_atomic(path, hashlib.sha256(body).hexdigest().encode() + body)


def is_whole(content):
    return hashlib.sha256(content[64:]).hexdigest().encode() == content[:64]


# The same boxes


def same(count, seed, frames):
    """Track made sequences in fresh processes; the number of those that found the first one's bytes."""
    argv = [sys.executable, __file__, "boxes", "--seed", str(seed), "--frames", str(frames)]
    found = [subprocess.run(argv, check=True, capture_output=True, text=True).stdout for _ in range(count)]
    print(f"SHA-256 of the boxes of {len(KINDS)} sequences, {frames} frames each: {found[0].strip()}")
    return sum(one == found[0] for one in found)


def hash_of_boxes(seed, frames):
    """The default tracker's boxes of one sequence of each kind."""
    import torch

    from roam_tracker import RoamTracker

    torch.set_num_threads(1)
    tracker, digest = RoamTracker(device="cpu"), hashlib.sha256()
    for kind in KINDS:
        images, boxes = make_sequence(kind, frames, seed)
        tracker.init(images[0], boxes[0])
        for image in images[1:]:
            digest.update(tracker.update(image).tobytes())
    return digest.hexdigest()


# No look ahead


def causal(count, seed, frames=12):
    """Replace the frames after a random one by noise: the boxes up to it must stay the same bytes.

    Through the toolkit's adapter, which is given all files at once and could look ahead.
    """
    from roam_tracker.toolkits.got10k.tracker import RoamGot10k

    draw, kept, moved = np.random.default_rng(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder, "cheap.toml")
        preset.write_text(CHEAP)
        tracker = RoamGot10k(str(preset), "cpu", threads=1)
        for number in range(count):
            kind, last = draw.choice(list(KINDS)), int(draw.integers(1, frames - 1))
            images, truth = make_sequence(str(kind), frames, int(draw.integers(1 << 31)), (160, 120))
            noise = draw.integers(0, 256, images[last + 1 :].shape, dtype=np.uint8)
            whole = tracker.track(save(Path(folder, "whole"), images), truth[0])[0]
            other = np.concatenate([images[: last + 1], noise])
            cut = tracker.track(save(Path(folder, "cut"), other), truth[0])[0]
            fine = whole[: last + 1].tobytes() == cut[: last + 1].tobytes()
            kept += fine
            moved += whole[last + 1 :].tobytes() != cut[last + 1 :].tobytes()
            if not fine:
                print(f"case {number}: {kind}, boxes up to frame {last + 1} changed")
    print(f"the noise moved later boxes in {moved} of {count}")
    return kept


def save(folder, images):
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number:04d}.png" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file, compress_level=1)
    return [str(file) for file in files]


# The order, and who does it


def independent(count, seed, most_workers):
    """Do the sequences in random order, a few at a time, by random numbers of workers; compare all files."""
    draw, kept, here = random.Random(seed), 0, Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_sample(folder / "sample", frames=10, sequences=6, size=(160, 120))
        (folder / "cheap.toml").write_text(CHEAP)
        names = sorted(path.name for path in (folder / "sample/OTB").iterdir())
        try:
            expected = None
            for number in range(count + 1):
                (folder / f"run{number}").mkdir()
                os.chdir(folder / f"run{number}")
                order = names if number == 0 else draw.sample(names, len(names))
                cut = len(names) if number == 0 else draw.randrange(1, len(names))
                for some in (order[:cut], order[cut:]):
                    if some:
                        workers = draw.randint(0, most_workers) if number else 0
                        status = command(
                            folder / "sample/OTB", folder / "cheap.toml", workers, "--sequences", *some
                        )
                        assert status == 0
                assert command(folder / "sample/OTB", folder / "cheap.toml", 0) == 0  # the report of all
                found = *results(Path.cwd(), "cheap"), scores(Path.cwd())
                expected = expected or found
                kept += number > 0 and found == expected
        finally:
            os.chdir(here)
    return kept


def scores(folder):
    """The toolkit's report without the speed."""
    report = json.loads((folder / "reports/OTB/cheap/performance.json").read_text())["cheap"]
    for part in (report["overall"], *report["seq_wise"].values()):
        part.pop("speed_fps")
    return report


def main():
    """Try a promise, print what was counted; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    counts = {"killed": 200, "written": 300, "same": 10, "causal": 100, "independent": 12}
    parser.add_argument("promise", choices=[*counts, "boxes"], help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int, default=40, help="of `same`")
    parser.add_argument("--workers", type=int, help="of `killed`; the most of `independent`")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))  # for trackers:Still
    os.environ["PYTHONPATH"] = str(HERE)
    if options.promise == "boxes":
        print(hash_of_boxes(options.seed, options.frames))
        return 0
    count, workers = options.count or counts[options.promise], options.workers
    start = time.monotonic()
    kept = {
        "killed": lambda: killed(count, options.seed, workers or 0),
        "written": lambda: written(count, options.seed),
        "same": lambda: same(count, options.seed, options.frames),
        "causal": lambda: causal(count, options.seed),
        "independent": lambda: independent(count, options.seed, 3 if workers is None else workers),
    }[options.promise]()
    print(f"{options.promise}: kept in {kept} of {count}, {time.monotonic() - start:.0f} s")
    return 0 if kept == count else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Raw results for the tests of the figures: boxes beside the truth, recordings of made updates."""

import numpy as np
import torch

from roam_tracker.core.tracking import StepRecord
from roam_tracker.recording import Recorder
from roam_tracker.report import Material, draw_figures

FRAMES = 20
SEQUENCES = ("Basketball", "Biker", "Bird1")
GROUPS = torch.tensor([0, 0, 0, 0, 0, 1, 2, 3])
RATES = (1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 1e-3, 1e-4, 1e-5)


def truth_of(name):
    generator = np.random.default_rng(len(name))
    return np.column_stack([generator.uniform(5, 40, (FRAMES, 2)), generator.uniform(8, 20, (FRAMES, 2))])


def moved(boxes, shift):
    return boxes + np.array([shift, 0, 0, 0])


def write_results(root, tracker, shift, seconds=0.05, sequences=SEQUENCES):
    """Boxes that lie `shift` px beside the truth but in the first frame, found in `seconds` a frame."""
    for name in sequences:
        truth = truth_of(name)
        place = root / "data" / name / "groundtruth_rect.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(place, truth, fmt="%.3f", delimiter=",")
        folder = root / "results/OTB2015" / tracker
        (folder / "times").mkdir(parents=True, exist_ok=True)
        boxes = np.concatenate([truth[:1], moved(truth, shift)[1:]])
        np.savetxt(folder / f"{name}.txt", boxes, fmt="%.3f", delimiter=",")
        (folder / "times" / f"{name}_time.txt").write_text(f"{seconds:.8f}\n" * FRAMES)


def write_recording(root, tracker, sequence, losses, rates=RATES):
    """A start, then updates of two steps every five frames, each of which leaves the loss given."""
    recorder = Recorder()
    recorder.begin(sequence)
    start = torch.tensor(rates, dtype=torch.float64) * 10
    recorder.observe(StepRecord(0, 0, 9.0, 8.0, start, GROUPS, True))
    for update, loss in enumerate(losses, 1):
        for step in (0, 1):
            taken = torch.tensor(rates, dtype=torch.float64) * (step + 1)
            recorder.observe(
                StepRecord(5 * update, step, loss + 1 - step / 2, loss + 0.5 - step / 2, taken, GROUPS, True)
            )
    recorder.write(root / "results/recordings/OTB2015" / tracker / f"{sequence}.json")


def drawn(root, *names, **more):
    return draw_figures(Material(root / "results", root / "data", **more), names)


def write_recordings(root):
    """Recordings of three trackers on two sequences."""
    for tracker, shift in (("ROAM", 0), ("SGD", 1), ("ROAM-wo-RFS", 2)):
        write_recording(root, tracker, "long", [1 + shift, 2 + shift, 3 + shift, 4 + shift])
        write_recording(root, tracker, "short", [5 + shift, 6 + shift])
    (root / "data").mkdir()

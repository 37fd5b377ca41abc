"""Draw docs/picture.png, the picture of the README, cell by cell as a notebook or at once.

.venv/bin/python docs/picture.py; editors and Jupyter (with jupytext) know cells that begin with `# %%`.
"""

# %% [markdown]
# # What ROAM sees
# One made sequence of each kind is tracked. Of the one with posts, a few frames are kept with their response
# maps; of all, the overlap with the true boxes, beside that of a box that never moves.

# %%
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from roam_tracker import RoamTracker
from roam_tracker.core import response
from roam_tracker.core.geometry import overlap
from roam_tracker.report.evaluation import Curve
from roam_tracker.report.score.otb import auc_otb, success_curve_otb
from roam_tracker.report.show.plots import plot_success
from roam_tracker.sample.render import KINDS, make_sequence

# %% [markdown]
# ## Track
# `tracker.state` is frozen data. The state before an update, its theta and the features of the search region
# around the last box are all that the response map needs.

# %%
SHOWN, FRAMES = "occlusion", (0, 12, 24, 36, 48, 59)
BLUE, WHITE = "#0072B2", "#ffffff"

torch.set_num_threads(1)
tracker = RoamTracker(device="cpu")
curves: dict[str, list[np.ndarray]] = {"ROAM": [], "Static": []}
shown = []
for kind in KINDS:
    frames, truth = make_sequence(kind)
    tracker.init(frames[0], truth[0])
    boxes = [truth[0]]
    for number, frame in enumerate(frames):
        before = tracker.state
        if number > 0:
            boxes.append(tracker.update(frame))
        if kind == SHOWN and number in FRAMES:
            model, (w, h) = tracker.model, before.size_px
            side = model.config.search.roi_scale * (w * h) ** 0.5
            features = model.features(torch.from_numpy(frame.copy()), before.centre_px, [side])
            shown.append(
                (
                    number,
                    frame,
                    boxes[-1],
                    truth[number],
                    response.respond(before.theta, before.shape, features)[0],
                )
            )
    curves["ROAM"].append(success_curve_otb(overlap(np.array(boxes), truth)))
    curves["Static"].append(success_curve_otb(overlap(np.tile(truth[0], (len(truth), 1)), truth)))

# %% [markdown]
# ## Draw
# Frames above, response maps below; beside them the mean success curves, as the report draws them.

# %%
figure = Figure(figsize=(12, 2.9), layout="constrained")
FigureCanvasAgg(figure)
strip, plot = figure.subfigures(1, 2, width_ratios=(2.6, 1))
axes = strip.subplots(2, len(FRAMES), height_ratios=(3, 4), gridspec_kw={"hspace": 0})
for (top, bottom), (number, frame, box, true, values) in zip(axes.T, shown, strict=True):
    top.imshow(frame)
    for (x, y, w, h), colour, style in ((true, WHITE, "--"), (box, BLUE, "-")):
        top.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=colour, linestyle=style, linewidth=1.8))
    top.set_title(f"frame {number + 1}", fontsize=9)
    bottom.imshow(values, vmin=-0.2, vmax=1.0, cmap="magma")
    for ax in (top, bottom):
        ax.set_xticks([])
        ax.set_yticks([])
axes[0, 0].set_ylabel("ROAM (blue)\nand the truth", fontsize=9)
axes[1, 0].set_ylabel("response map\nof the search region", fontsize=9)
ax = plot.subplots()
thresholds = np.linspace(0, 1, 21)
means = {name: np.mean(rows, axis=0) for name, rows in curves.items()}
plot_success(ax, [Curve(name, thresholds, mean, auc_otb(mean)) for name, mean in means.items()])
ax.set_title("six made sequences: success", fontsize=9)
ax.get_legend().set_loc("center left")
figure.savefig(Path(__file__).with_name("picture.png"), dpi=110)

import dataclasses

import numpy as np
import pytest
import torch
from small import follow, model_of, preset
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from roam_tracker.core import search, tracking
from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import load_preset
from roam_tracker.core.fast.crop import crop_by_products
from roam_tracker.core.fast.engine import Fast
from roam_tracker.core.fast.many import Batch, refusal
from roam_tracker.core.tracking import Model
from roam_tracker.errors import ConfigError
from roam_tracker.sample.render import render
from roam_tracker.selfcheck.bench import random_weights
from roam_tracker.weights import load_weights, with_head

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scenes():
    """Targets of three shapes in frames of two sizes: tensors, boxes."""
    made = []
    for name in ("motion", "scale", "light"):
        scene = render(name, 24)
        frames = [torch.from_numpy(frame) for frame in scene.frames]
        made.append((frames, tuple(float(value) for value in scene.boxes[0])))
    frames, (x, y, w, h) = made[2]
    made[2] = [frame[:200, :300].clone() for frame in frames], (x, y, w, h / 2)
    return made


def both_ways(model, scenes, atol):
    """Follow the targets at once and one by one; the states of each, its boxes being the same."""
    batch = Batch(model, 3)
    for slot, (frames, box) in enumerate(scenes):
        batch.start(slot, frames[0], box)
    together = torch.stack([batch.step([frames[k] for frames, _ in scenes]) for k in range(1, 24)], dim=1)
    for slot, (frames, box) in enumerate(scenes):
        alone, state = follow(model, frames, box)
        np.testing.assert_allclose(together[slot], alone, atol=atol, err_msg=f"slot {slot}")
        yield batch.state(slot), state


@pytest.mark.parametrize("name", ["default", "roam-head", "sgd", "roam-gru", "roam-fc", "roam-constlr"])
def test_targets_followed_at_once_are_those_followed_one_by_one(scenes, name):
    for now, state in both_ways(model_of(preset(name)), scenes, atol=2e-2):
        assert (now.frames, len(now.memory)) == (state.frames, len(state.memory))
        assert now.rejected_steps == state.rejected_steps
        torch.testing.assert_close(now.theta, state.theta, atol=1e-3, rtol=1e-2)


ALL_OF_IT = {
    "model": {"window": True},
    "update": {
        "first_scales": (1.0, 0.85),
        "first_rotations": (-20.0, 20.0),
        "samples": 6,
        "memory_frames": 6,
        "memory_stride": 2,
        "decay": 0.05,
        "first_share": 0.2,
        "ambiguity": 0.9,
    },
    "box": {"estimate": "parabola", "scales": (0.9091, 1.0, 1.1), "size_weight": 1.0},
}


@pytest.mark.parametrize(
    "changes",
    [ALL_OF_IT, {"update": {"decay": 0.1}}],
    ids=["all", "decay"],
)
def test_targets_with_further_settings_are_followed_at_once_as_one_by_one(scenes, changes):
    model = model_of(preset(**changes))
    for now, state in both_ways(model, scenes, atol=2e-2):
        assert [sample.frame for sample in now.memory] == [sample.frame for sample in state.memory]


def test_frames_on_a_canvas_are_followed_as_those_that_stay_where_they_are(scenes):
    model, rows = model_of(preset()), []
    for canvas in (False, True):
        batch = Batch(model, 3, canvas=canvas)
        for slot, (frames, box) in enumerate(scenes):
            batch.start(slot, frames[0], box)
        rows.append(torch.stack([batch.step([frames[k] for frames, _ in scenes]) for k in range(1, 12)]))
    torch.testing.assert_close(rows[0], rows[1], atol=1e-2, rtol=0)


def test_slots_are_taken_by_targets_that_come_later_with_larger_frames_and_filters(scenes):
    model = model_of(preset())
    batch = Batch(model, 2)
    (first, first_box), (second, second_box), (third, third_box) = scenes
    wide = [torch.nn.functional.pad(frame, (0, 0, 0, 40, 0, 60)) for frame in second]
    x, y, w, h = second_box
    tall_box = x, y - h / 2, w / 2, 2 * h  # another filter than that of the first
    found = {0: [], 1: [], 2: []}
    batch.start(0, first[0], first_box)
    for k in range(1, 24):
        if k == 8:
            batch.start(1, wide[0], tall_box)
        if k == 13:
            batch.release(0)
            batch.start(0, third[0], third_box)
        frames = [first[k] if k < 13 else third[k - 12], wide[k - 7] if k >= 8 else None]
        rows = batch.step(frames).numpy()
        found[0 if k < 13 else 2].append(rows[0])
        if k >= 8:
            found[1].append(rows[1])
    for key, (frames, box) in enumerate(((first, first_box), (wide, tall_box), (third, third_box))):
        alone, _ = follow(model, frames, box)
        np.testing.assert_allclose(found[key], alone[: len(found[key])], atol=1e-2, err_msg=f"target {key}")


@pytest.mark.parametrize(
    "changes",
    [
        {"update": {"miss_ratio": 0.85}},  # few samples, at times fewer than five
        {"update": {"miss_ratio": 1.0, "guard_halvings": 0}},  # at times none at all
        {"update": {"steps": 1, "every_frames": 2, "memory_frames": 3}},
        {"box": {"subcell": False, "pyramid_roi": 0.0}},
    ],
)
def test_settings_mean_the_same_together(scenes, changes):
    model = model_of(preset(**changes))
    batch = Batch(model, 2)
    for slot, (frames, box) in enumerate(scenes[:2]):
        batch.start(slot, frames[0], box)
    together = torch.stack([batch.step([frames[k] for frames, _ in scenes[:2]]) for k in range(1, 24)], dim=1)
    for slot, (frames, box) in enumerate(scenes[:2]):
        alone, state = follow(model, frames, box)
        np.testing.assert_allclose(together[slot], alone, atol=1e-2, err_msg=f"slot {slot}")
        assert len(batch.state(slot).memory) == len(state.memory)
        assert batch.state(slot).rejected_steps == state.rejected_steps


def test_a_model_with_many_features_is_followed_without_the_fourier_domain(scenes):
    config = preset(model={"reduced_channels": 8})
    generator, weights = torch.Generator().manual_seed(0), load_weights("default")
    count = 40 * 8 + 8 + 8 * 11 * 11 + 1
    weights["theta0"] = 0.02 * torch.randn(count, generator=generator)
    weights["lambda0"] = torch.full((count,), 1e-4)
    model = model_of(config, weights=weights)
    batch = Batch(model, 2)
    for slot, (frames, box) in enumerate(scenes[:2]):
        batch.start(slot, frames[0], box)
    for k in range(1, 7):
        batch.step([frames[k] for frames, _ in scenes[:2]])
    for slot, (frames, box) in enumerate(scenes[:2]):
        _, state = follow(model, frames[:7], box)
        torch.testing.assert_close(batch.state(slot).theta, state.theta, atol=1e-4, rtol=1e-2)


def test_a_target_goes_on_in_a_slot_where_it_was_left(scenes):
    model, (frames, box) = model_of(preset()), scenes[0]
    alone, _ = follow(model, frames, box)
    state = tracking.start(model, frames[0], box)
    for frame in frames[1:8]:
        state, _, _ = tracking.step(model, state, frame)
    batch = Batch(model, 1)
    batch.load(0, state, frames[0])
    found = [batch.step([frame])[0].numpy() for frame in frames[8:]]
    np.testing.assert_allclose(found, alone[7:], atol=1e-2)


def test_sets_of_tensors_are_kept_for_a_few_sizes_only(scenes):
    model, (frames, box) = model_of(preset()), scenes[0]
    batch = Batch(model, 1)
    for width in range(8):
        batch.start(0, frames[0][:, : 200 + width], box)
    assert len(batch.slots._sets) == 6
    tensors = batch.slots.tensors
    batch.start(0, frames[0][:, :205], box)
    batch.start(0, frames[0][:, :207], box)
    assert batch.slots.tensors is tensors  # those of 207 px are still there


def test_a_preset_that_needs_its_targets_one_by_one_is_refused():
    config = preset(oracle=True)
    assert refusal(config) == "oracle"
    with pytest.raises(ConfigError, match="oracle: follow them one by one"):
        Batch(model_of(config), 2)


@pytest.mark.parametrize("centre", [(30.3, 20.7), (2.0, 39.0), (-200.0, 10.0)])
def test_crops_by_products_are_the_crops_of_each_frame(centre):
    spec = backbone_spec("vgg16-torchvision")
    generator = torch.Generator().manual_seed(1)
    frames = [
        torch.randint(0, 256, (*size, 3), generator=generator, dtype=torch.uint8)
        for size in ((41, 53), (30, 60))
    ]
    canvas = torch.full((2, 41, 60, 3), 255, dtype=torch.uint8)
    for k, frame in enumerate(frames):
        canvas[k, : frame.shape[0], : frame.shape[1]] = frame
    centres = torch.tensor([centre, (25.0, 15.5)], dtype=torch.float64)
    sides = torch.tensor([[12.0, 30.5, 70.0], [20.0, 45.0, 66.0]], dtype=torch.float64)
    extents = torch.tensor([[53, 41], [60, 30]])
    found = crop_by_products(canvas, extents, centres, sides, 21, spec)
    for k, frame in enumerate(frames):
        for n in range(3):
            alone = search.crop(frame, centres[k : k + 1], sides[k, n : n + 1], 21, spec)[0]
            torch.testing.assert_close(found[k, n], alone, atol=1e-4, rtol=0)


class WatchedOperators(TorchDispatchMode):
    """Names of all operators that run."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(str(function.overloadpacket).removeprefix("aten."))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "config", [preset(), preset("sgd"), preset(model={"window": True})], ids=["default", "sgd", "window"]
)
def test_nothing_that_a_graph_would_hold_looks_at_values_or_copies_from_the_host(scenes, config):
    batch = Batch(model_of(config), 2, canvas=True)
    for slot, (frames, box) in enumerate(scenes[:2]):
        batch.start(slot, frames[0], box)
    for k in range(1, 5):
        batch.step([frames[k] for frames, _ in scenes[:2]])
    batch.slots.tensors["due"].fill_(True)
    with torch.no_grad(), WatchedOperators() as watched:
        batch._locate()
        batch._update()
    waiting = {
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "lift_fresh",
        "lift_fresh_copy",
        "equal",
        "is_nonzero",
    }
    assert len(watched.names) > 30
    assert not watched.names & waiting


@pytest.mark.parametrize("name", ["default", "roam-head", "sgd", "roam-gru", "paper"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_frame_is_worked_on_where_the_model_lies_and_nowhere_else(name, precision):
    """On the device that has shapes and no values: an operator that gets a tensor from elsewhere fails."""
    meta = torch.device("meta")
    with pytest.raises(RuntimeError):
        torch.zeros(2, device=meta) + torch.zeros(2)
    config = dataclasses.replace(load_preset(name), precision=precision)
    weights = random_weights(config) if name == "paper" else with_head(config, load_weights(config.weights))
    model = Model(config, weights, meta, Fast())
    batch = Batch(model, 3, canvas=True)
    batch.slots.make_room(dataclasses.replace(model.canonical, height=11, width=9), 240, 320)
    with torch.no_grad():
        batch._locate()
        batch._update()
    assert {tensor.device for tensor in batch.slots.tensors.values()} == {meta}


@pytest.mark.parametrize("name", ["default", "sgd"])
def test_the_recorded_operators_alone_follow_the_target_as_a_graph_would(scenes, name):
    """Both sequences are traced once; then the same operators on the same tensors stand for our code."""
    model = model_of(preset(name), "reference")
    rows = []
    for recorded in (False, True):
        batch = Batch(model, 2, canvas=True)
        for slot, (frames, box) in enumerate(scenes[:2]):
            batch.start(slot, frames[0], box)
        for k in range(1, 14):
            if k == 3 and recorded:
                batch.slots.graphs = Recorded(batch)
            rows.append(batch.step([frames[k] for frames, _ in scenes[:2]]))
    torch.testing.assert_close(rows[:13], rows[13:], atol=1e-3, rtol=0)


class Recorded:
    """Stands for `Graphs`: what a function does is traced at its first call, and replayed from then on."""

    def __init__(self, batch):
        self.tensors, self.slots, self.traced = batch.slots.tensors, batch.slots, {}

    def run(self, name, function):
        names = list(self.tensors)
        if name not in self.traced:
            before = {key: tensor.clone() for key, tensor in self.tensors.items()}

            def on(*tensors):
                self.slots.tensors = dict(zip(names, tensors, strict=True))
                function()
                return tensors[0]

            with torch.no_grad():
                self.traced[name] = make_fx(on)(*self.tensors.values())
            self.slots.tensors = self.tensors
            for key, tensor in before.items():
                self.tensors[key].copy_(tensor)
        with torch.no_grad():
            self.traced[name](*self.tensors.values())

import hashlib
import sys
from importlib import resources

import numpy as np
import pytest
import torch
import web
from safetensors.torch import save_file

from roam_tracker.commands import main
from roam_tracker.core.config import load_preset
from roam_tracker.core.tracking import Model
from roam_tracker.errors import ConfigError, RunError, WeightsError
from roam_tracker.weights import backbones, download, load_weights
from roam_tracker.weights.backbones import cache_folder, fetch_backbone, find_backbone, load_backbone

# the convolutions of VGG-16 up to conv4_3: name, number in torchvision's `features`, outputs, inputs
LAYERS = [
    ("conv1_1", 0, 64, 3),
    ("conv1_2", 2, 64, 64),
    ("conv2_1", 5, 128, 64),
    ("conv2_2", 7, 128, 128),
    ("conv3_1", 10, 256, 128),
    ("conv3_2", 12, 256, 256),
    ("conv3_3", 14, 256, 256),
    ("conv4_1", 17, 512, 256),
    ("conv4_2", 19, 512, 512),
    ("conv4_3", 21, 512, 512),
]
NAME = "vgg16-conv4_3"


@pytest.fixture(scope="module")
def tensors():
    """Random kernels, RGB, and biases; exact in half precision so that small files hold them."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, _, outputs, inputs in LAYERS:
        made[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator).half()
        made[f"{name}.bias"] = torch.randn(outputs, generator=generator).half()
    return made


@pytest.fixture(scope="module")
def state_dict(tensors):
    """The same as torchvision names them, with a classifier."""
    state = {
        f"features.{number}.{part}": tensors[f"{name}.{part}"]
        for name, number, _, _ in LAYERS
        for part in ("weight", "bias")
    }
    return state | {"classifier.0.weight": torch.full((4, 4), torch.nan)}


@pytest.fixture(autouse=True)
def _no_backbone_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("ROAM_BACKBONE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def assert_loaded(path, tensors):
    loaded = load_backbone(NAME, path)
    assert list(loaded) == list(tensors)
    assert {tensor.dtype for tensor in loaded.values()} == {torch.float32}
    assert all(torch.equal(loaded[name], tensors[name].float()) for name in tensors)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_torchvision_state_dict_loads_in_the_new_and_the_old_format(zipped, tensors, state_dict, tmp_path):
    torch.save(state_dict, tmp_path / "vgg.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(tmp_path / "vgg.pth", tensors)


def test_a_safetensors_file_is_bgr_and_its_first_kernels_are_flipped(tensors, tmp_path):
    bgr = tensors | {"conv1_1.weight": tensors["conv1_1.weight"][:, [2, 1, 0]]}
    save_file(bgr, tmp_path / "vgg.safetensors")
    assert_loaded(tmp_path / "vgg.safetensors", tensors)


def test_a_matconvnet_network_loads_to_the_same_tensors(tensors, tmp_path):
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy, the extra [matconvnet], is not installed")
    layers = []
    for name, *_ in LAYERS:
        both = np.empty((1, 2), dtype=object)
        # (height, width, in, out), RGB; biases are a row
        both[0, 0] = tensors[f"{name}.weight"].float().permute(2, 3, 1, 0).numpy()
        both[0, 1] = tensors[f"{name}.bias"].float()[None].numpy()
        layers.append({"name": name, "type": "conv", "weights": both, "stride": np.ones((1, 2))})
        layers.append({"name": name.replace("conv", "relu"), "type": "relu"})
    cells = np.empty((1, len(layers)), dtype=object)
    cells[0, :] = layers
    scipy_io.savemat(tmp_path / "vgg.mat", {"layers": cells, "meta": {"classes": "none"}})
    assert_loaded(tmp_path / "vgg.mat", tensors)


def test_without_scipy_a_matconvnet_network_is_refused_with_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    (tmp_path / "vgg.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(WeightsError, match=r"needs SciPy\. .*roam-tracker\[matconvnet\]"):
        load_backbone("vgg16", tmp_path / "vgg.mat")


def test_a_missing_layer_is_named_as_the_file_would_name_it(state_dict, tmp_path):
    # vgg16 needs conv5_1 and conv5_2 too, number 24 and 26
    torch.save(state_dict, tmp_path / "vgg.pth")
    with pytest.raises(
        WeightsError, match=r"vgg\.pth has no tensor 'features\.24\.weight' \(conv5_1 of vgg16\)"
    ):
        load_backbone("vgg16", tmp_path / "vgg.pth")


def test_a_wrong_shape_is_named_with_the_one_expected(tmp_path):
    save_file({"conv1_1.weight": torch.zeros(64, 3, 5, 5)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"'conv1_1.weight' of shape \(64, 3, 5, 5\).*\(64, 3, 3, 3\)"):
        load_backbone("vgg16", tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 half a zip", bytes(range(256)) * 20])
@pytest.mark.parametrize("ending", [".pth", ".mat", ".safetensors"])
def test_a_damaged_file_is_refused_by_name(ending, content, tmp_path):
    if ending == ".mat":
        pytest.importorskip("scipy.io", reason="SciPy, the extra [matconvnet], is not installed")
    path = tmp_path / f"half{ending}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"half\{ending} .*damaged"):
        load_backbone("vgg16", path)


def test_a_truncated_download_is_refused(state_dict, tmp_path):
    torch.save(state_dict, tmp_path / "vgg.pth")
    whole = (tmp_path / "vgg.pth").read_bytes()
    (tmp_path / "vgg.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"vgg\.pth .*damaged"):
        load_backbone(NAME, tmp_path / "vgg.pth")


class Callable:
    """What a pickle may hold besides tensors: a call that loading would make."""

    def __reduce__(self):
        return print, ("loaded",)


def test_a_pickle_of_other_things_than_tensors_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"features.0.weight": Callable()}, tmp_path / "vgg.pth")
    with pytest.raises(WeightsError, match=r"vgg\.pth .*a pickle of other things"):
        load_backbone("vgg16", tmp_path / "vgg.pth")
    assert capsys.readouterr().out == ""


def test_a_file_that_holds_no_dictionary_is_refused(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "vgg.pth")
    with pytest.raises(WeightsError, match=r"vgg\.pth holds a Tensor, expected a state dict"):
        load_backbone("vgg16", tmp_path / "vgg.pth")


def test_another_kind_of_file_is_refused_with_the_kinds_that_are_read(tmp_path):
    (tmp_path / "vgg.h5").touch()
    with pytest.raises(WeightsError, match=r"vgg\.h5 must be a \.pth, \.mat or \.safetensors file"):
        load_backbone("vgg16", tmp_path / "vgg.h5")


@pytest.mark.parametrize(
    ("name", "found", "first_biases"),
    [
        ("vgg16", "vgg16-torchvision", [0.4034, 0.3778, 0.4644]),
        (NAME, "vgg16-torchvision", [0.4034, 0.3778, 0.4644]),
        ("vgg16-torchvision", "vgg16", [0.7343, 0.0934, 0.0678]),
    ],
)
def test_weights_of_the_other_training_are_refused_whatever_the_file_is_called(
    name, found, first_biases, tmp_path
):
    bias = torch.zeros(64)
    bias[:3] = torch.tensor(first_biases)
    torch.save({"features.0.bias": bias}, tmp_path / "renamed.pth")
    with pytest.raises(WeightsError, match=rf"for the preprocessing of '{found}', not of '{name}'"):
        load_backbone(name, tmp_path / "renamed.pth")


def test_the_published_file_of_the_other_training_is_refused_by_its_name(state_dict, tmp_path):
    for name, other in (("vgg16", "vgg16-torchvision"), ("vgg16-torchvision", "vgg16")):
        path = tmp_path / backbones.FILES[other].name
        torch.save(state_dict, path)
        with pytest.raises(WeightsError, match=f"for the preprocessing of '{other}'"):
            load_backbone(name, path)


def test_files_of_the_original_training_are_refused_for_torchvisions_preprocessing(tmp_path):
    save_file({"conv1_1.bias": torch.zeros(64)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="for the preprocessing of 'vgg16'"):
        load_backbone("vgg16-torchvision", tmp_path / "a.safetensors")


def test_a_backbone_is_looked_for_at_the_path_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    cached = cache_folder() / "vgg16_features-amdegroot-88682ab5.pth"
    with pytest.raises(WeightsError, match=r"run: roam fetch vgg16, or give a file: ROAM_BACKBONE=FILE"):
        find_backbone("vgg16")
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert find_backbone("vgg16") == find_backbone(NAME) == cached
    (tmp_path / "a.mat").touch()
    monkeypatch.setenv("ROAM_BACKBONE", str(tmp_path / "a.mat"))
    assert find_backbone("vgg16") == tmp_path / "a.mat"
    (tmp_path / "b.pth").touch()
    assert find_backbone("vgg16", tmp_path / "b.pth") == tmp_path / "b.pth"


def test_a_named_file_that_does_not_exist_is_told_with_who_named_it(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match=r"a\.pth does not exist"):
        find_backbone("vgg16", tmp_path / "a.pth")
    monkeypatch.setenv("ROAM_BACKBONE", str(tmp_path / "b.pth"))
    with pytest.raises(WeightsError, match=r"b\.pth, which ROAM_BACKBONE names, does not exist"):
        find_backbone("vgg16")


def test_a_backbone_without_a_file_of_its_own_is_refused():
    with pytest.raises(ConfigError, match=r"'lite0' has no file of its own.*vgg16"):
        find_backbone("lite0")


@pytest.fixture
def published(monkeypatch):
    """A site with a small file in the place of the published one."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "SCHEMES", ("http",))
    with web.running() as site:
        site.files["vgg16-small.pth"] = b"weights"
        digits = hashlib.sha256(b"weights").hexdigest()[:8]
        file = backbones.PublishedFile(site.url("vgg16-small.pth"), digits)
        monkeypatch.setitem(backbones.FILES, "vgg16", file)
        yield site


def test_a_fetched_backbone_is_found_and_its_size_and_place_are_told(published, capsys):
    assert main(["fetch", "vgg16"]) == 0
    found = find_backbone("vgg16")
    assert found == cache_folder() / "vgg16-small.pth"
    assert found.read_bytes() == b"weights"
    assert [path.name for path in found.parent.iterdir()] == ["vgg16-small.pth"]
    assert f"vgg16: 0.0 MB at {found}" in capsys.readouterr().out


def test_a_backbone_is_fetched_to_a_file_or_into_a_folder(published, tmp_path, capsys):
    assert main(["fetch", "vgg16", "--to", str(tmp_path / "new" / "a.pth")]) == 0
    assert "ROAM_BACKBONE=" in capsys.readouterr().out
    assert (tmp_path / "new" / "a.pth").read_bytes() == b"weights"
    assert fetch_backbone("vgg16", tmp_path / "new") == tmp_path / "new" / "vgg16-small.pth"


def test_a_file_that_is_there_is_not_fetched_again_but_a_damaged_one_is(published):
    file = fetch_backbone("vgg16")
    file.write_bytes(b"half")
    assert fetch_backbone("vgg16").read_bytes() == b"weights"
    published.files.clear()
    assert fetch_backbone("vgg16").read_bytes() == b"weights"


def test_a_file_with_another_hash_is_refused_and_nothing_is_kept(published):
    published.files["vgg16-small.pth"] = b"something else"
    with pytest.raises(RunError, match=r"SHA-256 begins with .*Nothing was kept"):
        fetch_backbone("vgg16")
    assert list(cache_folder().iterdir()) == []


def test_a_failed_download_ends_with_status_1_the_url_and_the_place(published, capsys):
    published.files.clear()
    assert main(["fetch", "vgg16"]) == 1
    said = capsys.readouterr().err
    assert published.url("vgg16-small.pth") in said and str(cache_folder() / "vgg16-small.pth") in said
    assert "ROAM_BACKBONE" in said and said.count("\n") == 1


def test_every_published_file_is_fetched_over_https():
    files = backbones.FILES.values()
    assert files and all(file.url.startswith("https://") and len(file.sha256) >= 8 for file in files)


# Shipped weights


def test_every_shipped_file_is_the_one_in_the_list():
    folder = resources.files("roam_tracker").joinpath("weights")
    lines = folder.joinpath("SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    shipped = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".safetensors")}
    assert listed.keys() == shipped.keys()
    for name, entry in shipped.items():
        assert hashlib.sha256(entry.read_bytes()).hexdigest() == listed[name], name


def test_a_shipped_file_with_another_hash_is_refused(monkeypatch):
    monkeypatch.setattr("roam_tracker.weights._published", lambda name: "0" * 64)
    with pytest.raises(WeightsError, match="not those it was published with"):
        load_weights("default")


@pytest.mark.parametrize(
    "name, shape",
    [("block1.project.weight", (24, 95, 1, 1)), ("stem.weight", (32, 3, 5, 3)), ("stem.bias", (31,))],
)
def test_a_backbone_layer_of_a_wrong_shape_is_named(name, shape):
    weights = load_weights("default") | {name: torch.zeros(shape)}
    with pytest.raises(WeightsError, match=name.rpartition(".")[0]):
        Model(load_preset("default"), weights, torch.device("cpu"))


def test_a_backbone_that_ends_in_other_channels_is_refused():
    weights = load_weights("default")
    weights |= {"whiten.weight": torch.zeros(41, 40, 1, 1), "whiten.bias": torch.zeros(41)}
    with pytest.raises(WeightsError, match="ends in 41 channels, not in 40"):
        Model(load_preset("default"), weights, torch.device("cpu"))

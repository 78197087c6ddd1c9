"""``tpsgd-host quantize``: TOML and .npz to a model file, and what it reports."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CLASSES, float_network, samples, write_csv

from tpsgd_host.boards.profiles import fits, load_profile, load_profiles, parse_profiles
from tpsgd_host.cli import cli
from tpsgd_host.errors import ConfigError, DataError, ModelError, TpsgdError
from tpsgd_host.model.modelfile import load_model, memory
from tpsgd_host.model.new import new_model
from tpsgd_host.quantization.importers.npz import load_npz
from tpsgd_host.quantization.quantize import quantize


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a table of 4 channels and 3 classes."""
    write_csv(tmp_path / "data.csv", samples(120))
    return tmp_path / "data.csv"


def arrays(sizes: tuple[int, ...] = (4, 12, 3)) -> dict[str, Any]:
    """Return a tanh network as W0, b0, W1, b1."""
    layers = float_network(sizes, "tanh", seed=3).layers
    return {key: a for i, layer in enumerate(layers) for key, a in ((f"W{i}", layer.weight), (f"b{i}", layer.bias))}


def test_from_new_to_a_model_file(data: Path, tmp_path: Path) -> None:
    """From new to a model file."""
    made = new_model("small", tmp_path / "small.toml", data=data, hidden=(6,))
    report = quantize(made.path, data)
    assert report.out == tmp_path / "small.tpsgd"
    assert load_model(report.out).to_bytes() == report.model.to_bytes()
    assert report.memory.total == memory(report.model).total
    assert (report.float_accuracy, report.integer_accuracy) == (None, None)
    assert 0.5 < report.used <= 1
    assert 0 < report.clamped < 0.06  # 2 standard deviations


def test_a_constant_channel_is_told(tmp_path: Path) -> None:
    """A constant channel is told."""
    (tmp_path / "d.csv").write_text("a,b,label\n" + "".join(f"{i},5,{'xy'[i % 2]}\n" for i in range(20)))
    made = new_model("small", tmp_path / "small.toml", data=tmp_path / "d.csv")
    assert quantize(made.path, tmp_path / "d.csv").constant == ("b",)
    output = (
        CliRunner()
        .invoke(cli, ["quantize", str(made.path), "-d", str(tmp_path / "d.csv")], catch_exceptions=False)
        .output
    )
    assert "cannot see channels that never change: b" in output
    assert "nothing has been learned yet" in output
    assert "tpsgd-host simulate" in output


def test_a_trained_network(data: Path, tmp_path: Path) -> None:
    """A trained network."""
    np.savez(tmp_path / "net.npz", **arrays())
    report = quantize(tmp_path / "net.npz", data, classes=CLASSES)
    assert report.agreement is not None
    assert report.float_accuracy is not None
    assert report.integer_accuracy is not None
    assert report.agreement > 0.93
    assert abs(report.float_accuracy - report.integer_accuracy) < 0.05
    assert report.model.classes == CLASSES
    assert [layer.units for layer in report.model.layers] == [12, 3]


def test_json_says_the_same(data: Path, tmp_path: Path) -> None:
    """Json says the same."""
    np.savez(tmp_path / "net.npz", **arrays())
    options = [str(tmp_path / "net.npz"), "-d", str(data), "--json", "-o", str(tmp_path / "x.tpsgd")]
    said = json.loads(CliRunner().invoke(cli, ["quantize", *options], catch_exceptions=False).output)
    model = load_model(tmp_path / "x.tpsgd")
    assert said["crc_hex"] == f"{model.crc:08x}"
    assert said["file_bytes"] == (tmp_path / "x.tpsgd").stat().st_size
    assert {board["board"] for board in said["boards"]} == set(load_profiles())
    virtual = next(board for board in said["boards"] if board["board"] == "virtual")
    profile = load_profile("virtual")
    assert virtual["need"] == memory(model).allocated(profile.block) + profile.program


def test_what_does_not_fit_is_told(data: Path, tmp_path: Path) -> None:
    """What does not fit is told."""
    made = new_model("large", tmp_path / "large.toml", data=data, hidden=(200, 30))
    found = {fit.board.name: fit for fit in fits(quantize(made.path, data).model)}
    assert found["rp2040"].fits
    assert not found["microbit"].fits
    assert found["microbit"].left < 0


def test_options_win_over_the_file(data: Path, tmp_path: Path) -> None:
    """Options win over the file."""
    made = new_model("small", tmp_path / "small.toml", data=data)
    data.write_text(data.read_text().replace("label", "what").replace("c0", "first"))
    with pytest.raises(DataError):
        quantize(made.path, data)
    layout = quantize(made.path, data, label="what", columns=("first", "c1", "c2", "c3")).model.layout
    assert (layout.label, layout.columns) == ("what", ("first", "c1", "c2", "c3"))
    data.write_text(data.read_text() + "1,2,x,4,rest\n")
    with pytest.raises(DataError, match="line 122"):
        quantize(made.path, data, label="what", columns=("first", "c1", "c2", "c3"))
    skipped = quantize(made.path, data, label="what", columns=("first", "c1", "c2", "c3"), bad_rows="skip")
    assert len(skipped.source.bad_rows) == 1


def test_wrong_use(data: Path, tmp_path: Path) -> None:
    """Wrong use."""
    with pytest.raises(ModelError, match=r"\.toml, \.npz or \.onnx"):
        quantize(tmp_path / "m.h5", data)
    made = new_model("small", tmp_path / "small.toml", data=data)
    with pytest.raises(ConfigError, match="--config"):
        quantize(made.path, data, config=made.path)
    with pytest.raises(DataError, match="cannot be written"):
        quantize(made.path, data, out=tmp_path / "no" / "m.tpsgd")


@pytest.mark.parametrize("style", ["own", "torch", "scikit", "keras", "bare"])
def test_shapes_of_other_tools(tmp_path: Path, style: str) -> None:
    """Shapes of other tools."""
    own = arrays((4, 12, 12, 3))
    weights, biases = ([own[f"{letter}{i}"] for i in range(3)] for letter in "Wb")
    turned = [w.T for w in weights]
    saved: dict[str, Any] = {
        "own": own,
        "torch": {
            f"net.{2 * i}.{part}": a for i in range(3) for part, a in (("weight", weights[i]), ("bias", biases[i]))
        },
        "scikit": {f"{part}_{i}": a[i] for part, a in (("coefs", turned), ("intercepts", biases)) for i in range(3)},
        "keras": {f"arr_{k}": a for k, a in enumerate(a for i in range(3) for a in (turned[i], biases[i]))},
        "bare": dict(zip("abcdef", (a for i in range(3) for a in (weights[i], biases[i])), strict=True)),
    }[style]
    np.savez(tmp_path / "net.npz", **saved)
    layers = load_npz(tmp_path / "net.npz", "relu").layers
    for i in range(3):
        assert (layers[i].weight == weights[i]).all()
        assert (layers[i].bias == biases[i]).all()
    assert [layer.activation for layer in layers] == ["relu", "relu", "linear"]


def test_the_file_says_how_its_inputs_were_standardized(data: Path, tmp_path: Path) -> None:
    """The file says how its inputs were standardized."""
    given_ = samples(120)
    mean, std = given_.values[:, 0].mean(axis=0), given_.values[:, 0].std(axis=0)
    np.savez(tmp_path / "said.npz", **arrays(), mean=mean, std=std, activation="hardtanh")
    np.savez(tmp_path / "left.npz", **arrays())
    said = quantize(tmp_path / "said.npz", data)
    other = quantize(tmp_path / "left.npz", data, inputs="std", activation="hardtanh")
    assert [w.tolist() for w in said.model.weights] == [w.tolist() for w in other.model.weights]


def test_a_recurrent_network_needs_to_know_its_steps(tmp_path: Path, data: Path) -> None:
    """A recurrent network needs to know its steps."""
    rng = np.random.default_rng(1)
    own = {
        "W_ih": rng.normal(size=(8, 2)),
        "W_hh": rng.normal(size=(8, 8)) / 4,
        "b_ih": np.full(8, 0.1),
        "b_hh": np.full(8, -0.2),
    }
    np.savez(tmp_path / "rnn.npz", **own, W0=rng.normal(size=(3, 8)), b0=np.zeros(3))
    with pytest.raises(ConfigError, match="steps"):
        quantize(tmp_path / "rnn.npz", data)
    made = new_model("r", tmp_path / "r.toml", network="rnn", data=data, steps=2)
    text = made.path.read_text()
    made.path.write_text(text[: text.index("[[layer]]")])  # the layers come from the network
    report = quantize(tmp_path / "rnn.npz", data, config=made.path)
    assert (report.model.readout_steps, report.model.layout.steps) == (1, 2)
    assert report.agreement is not None
    assert report.agreement > 0.9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"W1": np.zeros((3, 7))}, "do not follow each other"),
        ({"b1": np.zeros(4)}, "do not follow each other"),
        ({"W1": np.full((3, 12), np.nan)}, "not finite"),
        ({"W1": np.array([{}], dtype=object)}, "cannot be read"),
        ({"W1": np.array(["a"])}, "no numbers"),
        ({"W2": np.zeros((2, 2, 2))}, "looks like a conv layer"),
        ({"activation": "gelu"}, "'gelu' is not known"),
        ({"std": np.ones(3), "mean": np.ones(4)}, "mean has 4"),
    ],
)
def test_networks_that_are_none(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """Networks that are none."""
    np.savez(tmp_path / "net.npz", **{**arrays(), **change})
    with pytest.raises(ModelError, match=said):
        load_npz(tmp_path / "net.npz")


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0, 10**5))
def test_a_damaged_npz_is_refused_in_our_words(tmp_path: Path, changes: list[tuple[int, int]], length: int) -> None:
    """A damaged npz is refused in our words."""
    whole = io.BytesIO()
    np.savez_compressed(whole, **arrays((2, 3, 2)))
    raw = bytearray(whole.getvalue())
    for at, value in changes:
        raw[at % len(raw)] = value
    for data_ in (raw, raw[: length % len(raw)]):
        (tmp_path / "net.npz").write_bytes(data_)
        try:
            network = load_npz(tmp_path / "net.npz")
        except TpsgdError as error:
            assert "net.npz" in error.message
        else:
            assert np.isfinite(network.logits(np.zeros((1, 1, network.layers[0].inputs)))).all()


def test_boards_name_their_source() -> None:
    """Boards name their source."""
    for profile in load_profiles().values():
        assert profile.source
        assert profile.heap > profile.program
        assert profile.block in (16, 32)
    with pytest.raises(ConfigError) as caught:
        load_profile("esp23")
    assert "'esp32'" in caught.value.hint
    with pytest.raises(ConfigError, match=r"line 2: heap in \[mine\] is 0"):
        parse_profiles("[mine]\nheap = 0\n", "x")

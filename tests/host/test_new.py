"""``tpsgd-host new``: the file explains itself, and can be read back."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from networks import samples, write_csv

from tpsgd_host.cli import cli
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.new import new_model
from tpsgd_host.model.parsing import load_config, parse_config
from tpsgd_host.model.template import Draft, render


def recordings(path: Path) -> Path:
    """Write twelve recordings of two gestures."""
    rng = np.random.default_rng(1)
    rows = ["recording,ax,ay,gesture"]
    for i in range(12):
        for x, y in rng.normal(size=(20, 2)):
            rows.append(f"r{i},{x:.4f},{y:.4f},{'up' if i % 2 else 'down'}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_without_data_the_file_is_a_start(tmp_path: Path) -> None:
    """Without data the file is a start."""
    made = new_model("my gestures", tmp_path / "g.toml", network="mlp", hidden=(8,), seed=9)
    config = load_config(made.path)
    assert (config.name, config.seed) == ("my gestures", 9)
    assert [(layer.kind, layer.units) for layer in config.layers] == [("dense", 8), ("output", 0)]
    assert made.next.startswith(f"tpsgd-host quantize {made.path}")


def test_every_setting_is_explained(tmp_path: Path) -> None:
    """Every setting is explained."""
    text = new_model("g", tmp_path / "g.toml").path.read_text()
    settings = [line for line in text.splitlines() if re.match(r"[a-z_]+ = ", line)]
    bare = [line for line in settings if "#" not in line and line.split(" ")[0] not in ("name", "kind")]
    assert len(settings) > 25
    assert not bare


def test_a_table_of_rows_makes_an_mlp(tmp_path: Path) -> None:
    """A table of rows makes an mlp."""
    write_csv(tmp_path / "d.csv", samples())
    made = new_model("d", tmp_path / "d.toml", data=tmp_path / "d.csv")
    config = load_config(made.path)
    assert (config.layout.columns, config.layout.label, config.layout.windows) == (
        ("c0", "c1", "c2", "c3"),
        "label",
        "row",
    )
    assert config.classes == ("rest", "tap", "wave")
    assert config.layers[0].kind == "dense"
    found = load_samples(tmp_path / "d.csv", config.layout, config.classes)
    assert build_model(config, found).to_bytes()


def test_recordings_make_a_tdnn(tmp_path: Path) -> None:
    """Recordings make a convolution over time, and new says why."""
    data = recordings(tmp_path / "r.csv")
    made = new_model("r", tmp_path / "r.toml", data=data, window=8, hop=4, steps=4)
    assert "time series" in made.why
    assert "--network rnn" in made.why and "compare --networks" in made.why
    config = load_config(made.path)
    layout = config.layout
    assert (layout.windows, layout.group, layout.label, layout.columns) == (
        "recording",
        "recording",
        "gesture",
        ("ax", "ay"),
    )
    assert (layout.window, layout.hop, layout.steps) == (8, 4, 4)
    assert (layout.resampling, config.scale.sigmas) == ("mean", 2.0), "what docs/ACCURACY.md found good"
    assert [layer.shifts for layer in config.layers] == [(7, 8, 9), (6, 7, 8)]
    first = config.layers[0]
    assert (first.kind, first.units, first.kernel, first.segments) == ("temporal", 32, (4, 0), 4)
    assert len(load_samples(data, layout, config.classes)) == 12 * 4


def test_an_rnn_is_one_word_away(tmp_path: Path) -> None:
    """--network rnn makes a recurrent layer of the same data, and needs no reason."""
    data = recordings(tmp_path / "r.csv")
    result = CliRunner().invoke(
        cli, ["new", "r", "-o", str(tmp_path / "r.toml"), "--data", str(data), "--network", "rnn"]
    )
    assert result.exit_code == 0, result.output
    assert "network:" not in result.output
    assert load_config(tmp_path / "r.toml").layers[0].kind == "recurrent"


@pytest.mark.parametrize(("steps", "channels"), [(2, 3), (1025, 3), (4096, 1), (16, 400)])
def test_kernel_and_segments_fit_any_layout(tmp_path: Path, steps: int, channels: int) -> None:
    """Long, short and wide samples get a kernel and segments that a model may have."""
    data = tmp_path / "wide.csv"
    names = [f"c{i}" for i in range(channels)]
    rows = [",".join(["recording", *names, "label"])]
    for i in range(8):
        rows += [",".join([f"r{i}", *(f"{i % 2 + j % 7}" for j in range(channels)), "ab"[i % 2]]) for _ in range(3)]
    data.write_text("\n".join(rows) + "\n")
    config = load_config(new_model("w", tmp_path / "w.toml", data=data, steps=steps).path)
    first = config.layers[0]
    assert first.kind == "temporal"
    assert first.kernel[0] * channels <= 1039
    assert -(-steps // first.segments) <= 256


def test_rows_of_several_steps(tmp_path: Path) -> None:
    """Rows of several steps."""
    write_csv(tmp_path / "d.csv", samples())
    data = tmp_path / "d.csv"
    config = load_config(new_model("d", tmp_path / "d.toml", network="rnn", data=data, steps=2).path)
    assert (config.layout.steps, config.layout.channels, config.training.readout_steps) == (2, 2, 2)
    with pytest.raises(ConfigError, match="more than one step") as caught:
        new_model("d", tmp_path / "e.toml", network="rnn", data=data)
    assert "--steps 2, 4" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot be divided"):
        new_model("d", tmp_path / "e.toml", data=data, steps=3)


def test_rows_as_images(tmp_path: Path) -> None:
    """Rows of several steps are images to a CNN; its layers shrink them as far as they go."""
    data = tmp_path / "d.csv"
    write_csv(data, samples(channels=64))
    made = new_model("d", tmp_path / "d.toml", network="cnn", data=data, steps=8)
    config = load_config(made.path)
    assert [(layer.kind, layer.units, layer.kernel, layer.pool) for layer in config.layers[:-1]] == [
        ("conv", 8, (3, 3), 2), ("conv", 16, (3, 3), 1),
    ]  # fmt: skip
    assert config.layers[0].shifts == tuple(shift + 1 for shift in config.training.shifts)
    found = load_samples(data, config.layout, config.classes)
    assert build_model(config, found).shape == "CNN 8x8-8@3x3/2-16@3x3-3"
    new_model("d", tmp_path / "d.toml", network="cnn", data=data, steps=8, hidden=(3, 4, 5, 6, 7), force=True)
    with pytest.raises(ConfigError, match="a CNN needs images"):
        new_model("d", tmp_path / "e.toml", network="cnn", data=data)


def test_recordings_for_a_cnn(tmp_path: Path) -> None:
    """Over recordings the kernel runs along the steps."""
    data = recordings(tmp_path / "r.csv")
    config = load_config(new_model("r", tmp_path / "r.toml", network="cnn", data=data, window=8, steps=8).path)
    assert [(layer.kernel, layer.pool) for layer in config.layers[:-1]] == [((3, 0), 2), ((3, 0), 1)]
    assert build_model(config, load_samples(data, config.layout, config.classes)).layers[0].inputs == 6


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    """An existing file is kept."""
    (tmp_path / "g.toml").write_text("mine")
    with pytest.raises(ConfigError, match="already exists"):
        new_model("g", tmp_path / "g.toml")
    assert (tmp_path / "g.toml").read_text() == "mine"
    new_model("g", tmp_path / "g.toml", force=True)
    assert load_config(tmp_path / "g.toml").name == "g"


def test_nothing_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    """Nothing is written that could not be read."""
    with pytest.raises(ConfigError):
        new_model("x" * 300, tmp_path / "g.toml")
    with pytest.raises(ConfigError):
        new_model("a\nb = 1", tmp_path / "g.toml")
    with pytest.raises(ConfigError, match="1039"):
        new_model("g", tmp_path / "g.toml", hidden=(1000,), network="rnn")
    assert not (tmp_path / "g.toml").exists()


def test_data_without_a_label(tmp_path: Path) -> None:
    """Data without a label."""
    (tmp_path / "d.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DataError) as caught:
        new_model("d", tmp_path / "d.toml", data=tmp_path / "d.csv")
    assert "--label" in caught.value.hint


def test_the_command_tells_what_comes_next(tmp_path: Path) -> None:
    """The command tells what comes next."""
    out = tmp_path / "g.toml"
    result = CliRunner().invoke(cli, ["new", "g", "-o", str(out), "--hidden", "12,6"], catch_exceptions=False)
    assert result.exit_code == 0
    assert f"tpsgd-host quantize {out}" in result.output
    assert [layer.units for layer in load_config(out).layers] == [12, 6, 0]
    refused = CliRunner().invoke(cli, ["new", "g", "-o", str(out), "--hidden", "12,x", "--force"])
    assert refused.exit_code == 3


@given(
    st.text(min_size=1, max_size=30), st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=30, unique=True),
    st.lists(st.text(min_size=1, max_size=9), min_size=2, max_size=6, unique=True),
)  # fmt: skip
def test_names_survive_the_round_trip_or_are_refused(name: str, columns: list[str], classes: list[str]) -> None:
    """Names survive the round trip or are refused."""
    layout = Layout(4, len(columns), "recording", label="the label", columns=tuple(columns))
    text = render(Draft(name, 1, layout, tuple(classes), False, (4,), (8, 9), 4, "f.toml", "d.csv"))
    try:
        config = parse_config(text, "x")
    except ConfigError:
        assert any(
            ord(letter) < 32 or ord(letter) == 127 or 0x80 <= ord(letter) < 0xA0 for letter in text.replace("\n", "")
        ) or ("\\" in text or "the label" in columns)
    else:
        assert (config.name, config.layout.columns, config.classes) == (name, tuple(columns), tuple(classes))

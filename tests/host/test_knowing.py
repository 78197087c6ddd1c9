"""``adapt --data``: prototypes, the best way for somebody new, and a class for what is foreign."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bodies import write_model
from click.testing import CliRunner
from commands import call, fails
from persons import NAMES, recordings

from tpsgd.learner import Learner
from tpsgd_host.adaptation.adapt import adapt
from tpsgd_host.adaptation.knowing import COUNTS, KNOWING, know
from tpsgd_host.cli import cli
from tpsgd_host.data.frontend import LogMel, mel_edges
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.training.doubt import sums, synthetic
from tpsgd_host.training.foreign import foreigners
from tpsgd_host.training.practice import distances, means, readouts, trained_on


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A folder with a trained model and its recordings."""
    rows, labels, who = recordings()
    text = "label,who," + ",".join(f"v{i}" for i in range(40)) + "\n"
    for row, label, person in zip(rows.tolist(), labels, who, strict=True):
        text += ",".join([label, person, *map(str, row)]) + "\n"
    (tmp_path / "data.csv").write_text(text)
    bare = [",".join(line.split(",")[:1] + line.split(",")[2:]) for line in text.splitlines()]
    (tmp_path / "bare.csv").write_text("\n".join(bare) + "\n")
    write_model(tmp_path / "model.tpsgd", "temporal")
    model = load_model(tmp_path / "model.tpsgd")
    y = np.array([NAMES.index(label) for label in labels], np.uint8)
    order = np.random.default_rng(1).permutation(len(y))
    trained_on(model, (rows + 128).astype(np.uint8), y, [order] * 15).save(tmp_path / "trained.tpsgd")
    return tmp_path


def test_the_best_way_is_measured_and_written(known):
    done = call("adapt", known / "trained.tpsgd", "-o", known / "mine.tpsgd", "--data", known / "data.csv",
                "--persons", "who", "--samples", "3", "--epochs", "8", "--json")  # fmt: skip
    said = json.loads(done)
    by = {one["way"]: one for one in said["expected"]}
    assert set(by) == {"network", "prototypes", "both"}
    assert by["both"]["counts"] == list(COUNTS)
    assert by["both"]["new"][-1] is None, "nobody has twenty samples of a class"
    best = max(by.values(), key=lambda one: one["new"][2] + one["old"][2])
    assert said["way"] == best["way"]
    assert by["prototypes"]["seconds"] == [0] * 5 and by["both"]["bytes"][0] < by["both"]["bytes"][-1]
    model = load_model(known / "mine.tpsgd")
    assert model.prototypes is not None and model.prototypes.way == best["way"]
    assert len(model.prototypes.labels) == 9  # a mean of each person and class
    assert [layer.frozen for layer in model.layers] == [True, False]
    text = call("adapt", known / "trained.tpsgd", "-o", known / "text.tpsgd", "--data", known / "data.csv",
                "--persons", "who", "--epochs", "2")  # fmt: skip
    assert f"*{load_model(known / 'text.tpsgd').prototypes.way}" in text and "s of RP2040" in text


def test_ram_limits_the_way(known):
    """Practice that varies samples keeps them whole, and where distances count the output's inputs, too."""
    trained = load_model(known / "trained.tpsgd")
    heard = replace(trained, layout=replace(trained.layout, front=LogMel(8000, 256, 128, mel_edges(5, 100.0, 4000.0))))
    sizes = {name: way.bytes(heard, 20) for name, way in KNOWING.items()}
    inputs = heard.layers[-1].inputs
    assert sizes["prototypes"] + 20 * 3 * (40 + 24) + 40 == sizes["both"]
    assert sizes["network"] == sizes["both"] - 20 * 3 * (inputs + 24)
    assert KNOWING["network"].bytes(heard, 20, True) == sizes["both"], "thresholds need distances"
    rows, labels, _ = recordings()
    y = np.array([NAMES.index(label) for label in labels], np.uint8)
    given = Samples(rows.reshape(-1, 8, 5).astype(float), y, NAMES, tuple(map(str, range(len(y)))), np.arange(len(y)))
    least = min(sizes["network"], sizes["prototypes"])
    cheapest = min(("network", "prototypes"), key=lambda name: sizes[name])
    found = know(heard, given, count=20, ram=least).model.prototypes
    assert found is not None and (found.way, found.passes) == (cheapest, 0 if cheapest == "prototypes" else 60)
    found = know(heard, given, count=20, ram=sizes["both"]).model.prototypes
    assert found is not None and (found.way, found.variation, found.passes) == ("both", "words", 60)
    with pytest.raises(ConfigError, match="100 bytes"):
        know(heard, given, count=20, ram=100)


def test_what_is_foreign_is_refused(known):
    found = adapt(known / "trained.tpsgd", known / "sure.tpsgd", data=known / "bare.csv", misses=0.05, epochs=8)
    assert found.known is not None and found.known.doubt is not None
    assert found.known.doubt.misses <= 0.05 and found.known.doubt.foreign < 0.6
    assert found.model.classes == (*NAMES, "none")
    learner = Learner(str(known / "sure.tpsgd"), replay=3000)
    rows, labels, _ = recordings()
    said = []
    for row in rows.tolist():
        learner.feed(row)
        said.append(learner.predict())
    assert np.mean([a == b for a, b in zip(said, labels, strict=True)]) > 0.8
    noise = np.random.default_rng(5).integers(-127, 128, (60, 40))
    refused = []
    for row in noise.tolist():
        learner.feed(row)
        refused.append(learner.predict() is None)
    assert np.mean(refused) > 0.8


def test_recordings_named_none_are_foreign(known):
    text = (known / "bare.csv").read_text()
    line = "none," + ",".join(["0"] * 40) + "\n"
    (known / "bare.csv").write_text(text + 6 * line)
    found = adapt(known / "trained.tpsgd", known / "sure.tpsgd", data=known / "bare.csv", misses=0.05, epochs=4)
    assert found.model.classes == (*NAMES, "none")
    assert found.model.prototypes is not None and found.model.prototypes.none == 3


def test_what_cannot_be(known):
    text = (known / "data.csv").read_text().replace(",cleo,", ",bob,")
    (known / "two.csv").write_text(text)
    model, out = known / "trained.tpsgd", known / "out.tpsgd"
    fails(4, "adapt", model, "-o", out, "--data", known / "two.csv", "--persons", "who")
    recorded = ("--data", known / "bare.csv")
    for wrong in (
        ("--misses", "5%"),
        (*recorded, "--misses", "90%"),
        (*recorded, "--train", "all"),
        ("--persons", "who"),
    ):
        result = CliRunner().invoke(cli, ["adapt", str(model), "-o", str(out), *map(str, wrong)])
        assert result.exit_code == 2, result.output
    assert not out.exists()


@pytest.mark.parametrize("words", [False, True])
def test_foreign_samples_are_none_of_the_recordings(words):
    rows, labels, _ = recordings()
    data = (rows + 128).astype(np.uint8).reshape(-1, 8, 5)
    y = np.array([NAMES.index(label) for label in labels], np.uint8)
    made = foreigners(data, y, 40, words=words, seed=3)
    assert made.shape == (40, 8, 5) and made.min() >= 1
    assert np.array_equal(made, foreigners(data, y, 40, words=words, seed=3))
    assert not np.array_equal(made, foreigners(data, y, 40, words=words, seed=4))
    assert not (made[:, None] == data[None]).all(axis=(2, 3)).any()


def test_means_are_those_of_groups():
    x = np.array([[10, 10], [12, 13], [200, 200], [203, 200]], np.uint8)
    assert sorted(means(x, 2).tolist()) == [[11, 12], [202, 200]]  # 11.5 and 201.5 are rounded up
    assert means(x, 1).tolist() == [[106, 106]]
    assert means(x[:1], 4).tolist() == [[10, 10]]
    assert distances(x[:2], x[2:]).tolist() == [[380, 383], [375, 378]]


def test_sums_and_readouts_are_the_networks(known):
    model = load_model(known / "trained.tpsgd")
    rows, _, _ = recordings(2)
    data = (rows + 128).astype(np.uint8)
    learner = Learner(str(known / "trained.tpsgd"))
    x = readouts(model, data)
    z = sums(model, x)
    network = learner.network
    for i, row in enumerate(data):
        network.sample[:40] = row.tobytes()
        network.test()
        assert x[i].tolist() == [int(v) + 128 for v in network.output[1][:-1]]
        w, inputs, packed, sums_, _, _ = network.output
        network.k.forward(w, inputs, packed, sums_)
        assert z[i].tolist() == [int(v) for v in sums_]
    made = synthetic(replace(model), data, np.arange(len(data), dtype=np.uint8) % 3, 1)
    assert made.shape == (len(data), 40)

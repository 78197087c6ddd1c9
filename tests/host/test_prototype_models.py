"""Prototypes on the host: the file, and the trainer in C against the device's own code."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bodies import KINDS, write_model

from tpsgd import runtime
from tpsgd.answer import Answer
from tpsgd.learner import Learner
from tpsgd.modelfile import Model as DeviceModel
from tpsgd.network import build
from tpsgd.taught import Taught
from tpsgd_host.boards.live import live_session
from tpsgd_host.boards.monitor import Guess
from tpsgd_host.commands.evaluate import evaluate
from tpsgd_host.commands.monitor import monitor
from tpsgd_host.errors import DataError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.modelfile import Model, load_model, memory, parse_model
from tpsgd_host.model.prototypes import VARIATIONS, WAYS, Prototypes
from tpsgd_host.model.surgery import with_adaptor, with_class, with_learning
from tpsgd_host.native.binding import NativeTrainer, library
from tpsgd_host.training import practice
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.practice import readouts, taught
from tpsgd_host.training.simulator import Simulator


def known(path: Path, kind: str, seed: int, **options: object) -> Model:
    """Return a model with a frozen body, random output weights and five random prototypes of three classes."""
    write_model(path / "model.tpsgd", kind, frozen=True)
    model = load_model(path / "model.tpsgd")
    dice = np.random.default_rng(seed)
    inputs = model.layers[-1].inputs
    vectors = dice.integers(1, 256, (5, inputs)).astype(np.uint8)
    labels = np.array([0, 0, 1, 2, 1], np.uint8)
    prototypes = Prototypes(vectors, labels, (700, 900, 800), **options)  # type: ignore[arg-type]
    weights = dice.integers(20000, 46000, model.weights[-1].shape).astype("<u2")
    return replace(model, prototypes=prototypes, weights=(*model.weights[:-1], weights))


def samples(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (count, 40)).astype(np.uint8)


def test_a_file_holds_its_prototypes(tmp_path):
    model = known(tmp_path, "recurrent", 1, way="both", variation="words", none=2, score=700, margin=-5, passes=60)
    again = parse_model(model.to_bytes(), "again")
    assert again.prototypes is not None and model.prototypes is not None
    assert np.array_equal(again.prototypes.vectors, model.prototypes.vectors)
    assert again.prototypes.labels.tolist() == [0, 0, 1, 2, 1]
    same = replace(again.prototypes, vectors=model.prototypes.vectors, labels=model.prototypes.labels)
    assert same == model.prototypes
    assert again.to_bytes() == model.to_bytes()
    plain = replace(model, prototypes=None)
    assert memory(model).total == memory(plain).total + 2 * 12 + 6 * 3
    assert len(model.to_bytes()) == len(plain.to_bytes()) + 5 * 12 + 16 + 12


def test_prototypes_need_a_frozen_body(tmp_path):
    model = known(tmp_path, "dense", 1)
    assert with_learning(model, 1).prototypes is not None
    assert with_learning(model, 2).prototypes is None
    assert with_adaptor(model, 8).prototypes is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_the_trainers_answer_alike(tmp_path, kind, way):
    data = samples(60)
    labels = np.arange(60, dtype=np.uint8) % 3
    labels[::4] = 255
    refused = []
    for options in (
        {},
        {"none": 2, "score": 1200, "margin": -2000},
        {"none": 1, "margin": 0},
        {"none": 0, "score": 300},
    ):
        model = known(tmp_path, kind, 3, way=way, **options)
        found = [
            Simulator(model, engine).evaluate(Records(np.full(60, TEST, np.uint8), labels, data)).tolist()
            for engine in ("plain", "np", "auto")
        ]
        assert found[0] == found[1] == found[2]
        if options:
            refused += [c == options["none"] for c, _ in found[0]]
        else:
            assert len({c for c, _ in found[0]}) > 1
    assert 0.1 < np.mean(refused) < 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variation", range(len(VARIATIONS)))
def test_the_trainer_in_c_practises_as_a_board(tmp_path, kind, variation):
    lib = library()
    if lib is None:
        pytest.skip("pip install -e . with a C compiler builds the trainer")
    model = known(tmp_path, kind, 4, way="network", variation=VARIATIONS[variation], passes=3)
    assert model.prototypes is not None
    prototypes = replace(
        model.prototypes, vectors=model.prototypes.vectors[:4], labels=np.array([0, 0, 1, 1], np.uint8)
    )
    model = replace(model, prototypes=prototypes)
    data, labels = samples(7), np.array([0, 1, 2, 2, 1, 0, 2], np.uint8)  # class 2 is new: it has no prototype
    native = NativeTrainer(model, lib)
    steps = native.practise(variation, data, labels, 3)
    assert steps == 3 * (4 + 3 * 4 + 4)
    file = io.BytesIO(model.to_bytes())
    device = DeviceModel(file)
    network = build(file, device, runtime.engine(2))
    store = Taught(network, Answer(device, network, file), 4000)
    for row, y in zip(data, labels.tolist(), strict=True):
        network.sample[:40] = row.tobytes()
        network.test()
        store.keep(y)
    assert store.practise(steps) == steps
    assert native.weights() == b"".join(network.weights())
    assert native.weights() != NativeTrainer(model, lib).weights()
    assert native.seen == network.seen == steps


@pytest.mark.parametrize("way", ["network", "both"])
@pytest.mark.parametrize("variation", VARIATIONS)
def test_the_host_teaches_the_same_without_the_trainer_in_c(tmp_path, monkeypatch, way, variation):
    model = known(tmp_path, "recurrent", 4, way=way, variation=variation, passes=3)
    data, labels = samples(7), np.array([0, 1, 2, 2, 1, 0, 2], np.uint8)
    found = [taught(model, data, labels, 3)]
    monkeypatch.setattr(practice, "library", lambda: None)
    found.append(taught(model, data, labels, 3))
    one, other = found
    assert one.weights_crc == other.weights_crc != model.weights_crc
    assert one.prototypes is not None and other.prototypes is not None
    assert np.array_equal(one.prototypes.vectors, other.prototypes.vectors)


def test_inputs_that_are_not_kept_are_made_again(tmp_path):
    model = known(tmp_path, "recurrent", 8, way="network", variation="motion")
    model.save(tmp_path / "model.tpsgd")
    one = Learner(str(tmp_path / "model.tpsgd"), replay=3000)
    assert one.replay.compact
    data = samples(6)
    for row in data:
        one.feed([byte - 128 for byte in row.tolist()])
        one.teach(0)
    one.practise(10)
    found = np.stack([np.frombuffer(bytes(one.replay.inputs_of(i)), np.uint8) for i in range(6)])
    assert np.array_equal(found, readouts(model, data))


def test_the_host_adds_a_class_as_a_board_does(tmp_path):
    model = known(tmp_path, "temporal", 6, way="both", none=1)
    path = tmp_path / "model.tpsgd"
    model.save(path)
    one = Learner(str(path))
    one.add_class("four")
    assert path.read_bytes() == with_class(model, "four").to_bytes()
    grown = load_model(path)
    assert grown.prototypes is not None
    assert grown.prototypes.scales == (700, 900, 800, 750)
    assert grown.prototypes.none == 1


def test_a_board_answers_by_its_prototypes(tmp_path):
    """Also over the link: ``eval`` on the virtual board and with the model file say the same."""
    model = known(tmp_path, "temporal", 7, way="both", none=2, margin=-10, score=900)
    model.save(tmp_path / "model.tpsgd")
    rows = samples(40).astype(int) - 128
    text = "label," + ",".join(f"v{i}" for i in range(40)) + "\n"
    for i, row in enumerate(rows.tolist()):
        text += ",".join([("one", "two")[i % 2], *map(str, row)]) + "\n"
    (tmp_path / "data.csv").write_text(text)
    flash(tmp_path / "model.tpsgd", folder=tmp_path / "board")
    board = evaluate(tmp_path / "data.csv", folder=tmp_path / "board")
    here = evaluate(tmp_path / "data.csv", model_path=tmp_path / "model.tpsgd")
    assert board.predicted.tolist() == here.predicted.tolist()
    assert board.probability.tolist() == here.probability.tolist()
    assert set(here.predicted.tolist()) == {0, 1, 2}
    plain = evaluate(tmp_path / "data.csv", model_path=plain_copy(model, tmp_path / "plain.tpsgd"))
    assert plain.predicted.tolist() != here.predicted.tolist()


def test_monitor_answers_with_what_a_board_was_taught(tmp_path):
    """A board keeps taught prototypes over a reset, and they count where it is watched."""
    model = known(tmp_path, "temporal", 7, way="prototypes")
    model.save(tmp_path / "model.tpsgd")
    flash(tmp_path / "model.tpsgd", folder=tmp_path / "board")
    (sample,) = samples(1)
    with live_session(folder=tmp_path / "board", ears=False, passes=0) as live:
        event = live.show(sample.tobytes())
        other = (live.classes.index(event.predicted) + 1) % len(live.classes)
        live.teach(event.event, other)
        live.save()
    row = ",".join(map(str, sample.astype(int) - 128))
    (tmp_path / "data.csv").write_text("label," + ",".join(f"v{i}" for i in range(40)) + f"\none,{row}\n")
    guesses = []
    monitor(
        lambda shown: guesses.append(shown) if isinstance(shown, Guess) else None,
        folder=tmp_path / "board", data=tmp_path / "data.csv",
    )  # fmt: skip
    assert [guess.predicted for guess in guesses] == [model.classes[other]]
    assert event.predicted != model.classes[other]


def test_monitor_counts_foreign_labels_as_none(tmp_path):
    """What is no class of the model is right where the board answers none; without a class none it is an error."""
    model = known(tmp_path, "temporal", 7, way="prototypes", none=2, margin=32767)  # takes none
    model.save(tmp_path / "model.tpsgd")
    row = ",".join(map(str, samples(1)[0].astype(int) - 128))
    (tmp_path / "data.csv").write_text("label," + ",".join(f"v{i}" for i in range(40)) + f"\none,{row}\ncough,{row}\n")
    flash(tmp_path / "model.tpsgd", folder=tmp_path / "board")
    said = []
    summary = monitor(said.append, folder=tmp_path / "board", data=tmp_path / "data.csv")
    guesses = [guess for guess in said if isinstance(guess, Guess)]
    assert [(guess.label, guess.right) for guess in guesses] == [(model.classes[0], False), (model.classes[2], True)]
    assert (summary.labelled, summary.right) == (2, 1)
    plain_copy(model, tmp_path / "plain.tpsgd")
    flash(tmp_path / "plain.tpsgd", folder=tmp_path / "plain")
    with pytest.raises(DataError, match="cough"):
        monitor(said.append, folder=tmp_path / "plain", data=tmp_path / "data.csv")


def plain_copy(model: Model, path: Path) -> Path:
    """Save a model without its prototypes."""
    replace(model, prototypes=None).save(path)
    return path

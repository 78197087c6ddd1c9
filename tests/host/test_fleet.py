"""Boards that learn together: averages, refusals, faults, and that nobody else pays for it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from commands import call, fails
from motions import write_motions

from tpsgd_host.cli import cli
from tpsgd_host.fleet.averaging import STRATEGIES, mean, rule, trained_vector, with_vector
from tpsgd_host.fleet.rounds import Answer, Averager
from tpsgd_host.model.modelfile import load_model

FILES = ("--data", "data.csv", "--model", "motion.tpsgd", "--by", "wearer")
USERS = ("ann", "bob", "cyd", "dan")


def vectors(count, size=7, seed=1):
    return np.random.default_rng(seed).integers(256, 65536, (count, size)).astype(np.uint16)


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """Recordings of four users, and a network for them."""
    monkeypatch.chdir(tmp_path)
    write_motions(tmp_path / "data.csv", 72, 1, wearers=USERS)
    call(
        "new", "motion", "--data", "data.csv", "--network", "rnn", "--hidden", "8", "--steps", "10",
        "--columns", "ax,ay",
    )  # fmt: skip
    call("quantize", "motion.toml", "--data", "data.csv")
    return tmp_path


@pytest.fixture
def flower():
    pytest.importorskip("flwr", reason="Flower is not installed: pip install 'tpsgd[fleet]'")


def test_halves_are_rounded_up_and_samples_weigh():
    two = np.array([[300, 300, 65535], [301, 302, 65535]], np.uint16)
    assert mean(two, [1, 1]).tolist() == [301, 301, 65535]
    assert mean(two, [3, 1]).tolist() == [300, 301, 65535]  # 300.25, 300.5
    assert mean(two, [1 << 24, 1 << 24]).tolist() == [301, 301, 65535]


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_order_of_the_answers_does_not_matter(name):
    present, answers = vectors(1)[0], vectors(5, seed=2)
    results = []
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 17):
        made = rule(name)
        first = made(present, answers[list(order)], [1] * 5)
        results.append(made(first, answers[list(order)][::-1], [1] * 5).tolist())
    assert len(results) == 8
    assert all(result == results[0] for result in results)
    assert results[0] != present.tolist()


@pytest.mark.parametrize("name", ["trimmed", "krum"])
def test_robust_rules_outvote_garbage(name):
    honest = (np.full((4, 50), 33000) + np.arange(4)[:, None]).astype(np.uint16)
    garbage = vectors(1, 50, seed=9)
    after = rule(name)(honest[0], np.concatenate([honest, garbage]), [1, 1, 1, 1, 1 << 24])
    assert abs(after.astype(int) - 33001).max() <= 2
    plain = rule("fedavg")(honest[0], np.concatenate([honest, garbage]), [1] * 5)
    assert abs(plain.astype(int) - 33001).max() > 1000


def test_adam_follows_the_specification():
    made, w = rule("fedadam"), np.array([40000, 300, 65500], np.uint16)
    m = q = np.zeros(3, object)
    for seed in range(4):
        answers = vectors(3, 3, seed)
        d = mean(answers, [1, 1, 1]).astype(object) - w
        m, q = (9 * m + 256 * d + 5) // 10, (99 * q + 256 * d * d + 50) // 100
        by = np.array([16 * int(np.sqrt(int(x))) + 4096 for x in q], object)
        expected = [min(65535, max(256, int(x))) for x in w + (2 * 128 * m + by) // (2 * by)]
        w = made(w, answers, [1, 1, 1])
        assert w.tolist() == expected


def test_a_round_names_those_who_are_missing_and_refused():
    present = vectors(1)[0]
    averager = Averager(rule("fedavg"), weighed=True)
    bad = present.copy()
    bad[3] = 255
    answers = [
        Answer("d", vectors(1, 6)[0], 5), Answer("b", bad, 5), Answer("a", vectors(1, seed=3)[0], 5),
        Answer("e", present, 0),
    ]  # fmt: skip
    after = averager.next(present, list("abcde"), answers, {"c": "unplugged"}, 0.0)
    (done,) = averager.rounds
    assert done.answered == ("a",)
    assert done.missing == {
        "b": "refused: a weight of 255, below 256", "c": "unplugged", "d": "refused: 6 weights for a network of 7",
        "e": "refused: it claims 0 samples",
    }  # fmt: skip
    assert after.tolist() == answers[2].weights.tolist()
    assert averager.next(after, ["a", "b"], [], {}, 0.0).tolist() == after.tolist()
    assert averager.rounds[1].missing == {"a": "no answer in time", "b": "no answer in time"}


def test_only_layers_that_learn_travel(fleet):
    model = load_model("motion.tpsgd")
    vector = trained_vector(model)
    assert vector.nbytes == sum(w.nbytes for w in model.weights)
    changed = with_vector(model, vector[::-1].copy())
    assert trained_vector(changed).tolist() == vector[::-1].tolist()
    call("adapt", "motion.tpsgd", "-o", "last.tpsgd")  # all but the last layer are frozen
    last = load_model("last.tpsgd")
    assert trained_vector(last).size == last.weights[-1].size
    assert with_vector(last, trained_vector(last)).to_bytes() == last.to_bytes()


def run(*options):
    return json.loads(call("fleet", "run", *FILES, "--json", *options))


def test_a_fleet_learns_and_repeats_bit_for_bit(fleet, flower):
    options = ("--rounds", "8", "--own", "2", "--few", "bob=1")
    one = run(*options)
    assert [user["user"] for user in one["users"]] == list(USERS)
    assert [user["samples"] for user in one["users"]][:2] == [15, 3]
    assert all(turn["answered"] == 4 and not turn["missing"] for turn in one["rounds"])
    assert one["mean"]["fleet"] > 0.5  # three classes
    assert None not in one["mean"].values()
    model = load_model("fleet/fleet.tpsgd")
    assert f"{model.weights_crc:08x}" == one["weights_crc"]
    assert (fleet / "fleet" / "fleet.png").stat().st_size > 5000
    again = run(*options, "--no-baselines", "--out", "again")
    assert [turn["crc"] for turn in again["rounds"]] == [turn["crc"] for turn in one["rounds"]]
    assert again["mean"]["alone"] is None


def test_virtual_boards_end_with_the_simulations_average(fleet, flower, interpreter):
    options = ("--rounds", "2", "--own", "0", "--no-baselines", "--boards", "2")
    real = run(*options, "--real", "--out", "real")
    assert [turn["crc"] for turn in real["rounds"]] == [turn["crc"] for turn in run(*options)["rounds"]]


def test_rounds_end_without_the_dead_and_trim_the_garbage(fleet, flower):
    found = run(
        "--boards", "10", "--rounds", "3", "--own", "0", "--no-baselines", "--strategy", "trimmed",
        "--dying", "0.2", "--garbage", "1",
    )  # fmt: skip
    for turn in found["rounds"]:
        assert set(turn["missing"].values()) == {"the gateway died (drill)"}
        assert turn["answered"] + len(turn["missing"]) == 10
    assert len({tuple(turn["missing"]) for turn in found["rounds"]}) > 1


def test_a_round_does_not_wait_for_a_silent_board(fleet, flower):
    options = ("--rounds", "1", "--own", "0", "--no-baselines", "--silent", "1", "--timeout", "2", "--json")
    result = CliRunner().invoke(cli, ["fleet", "run", *FILES, *options])
    if result.exit_code == 0:  # else no board was fast enough, and that is said
        assert json.loads(result.output)["rounds"][0]["missing"]["ann"] == "no answer in time"
    else:
        assert "no board answered in round 1: no answer in time" in result.output


def test_what_cannot_be_a_fleet_is_refused(fleet):
    assert "'speaker'" in fails(4, "fleet", "run", "--by", "speaker")
    assert "nobody in column wearer is called 'eve'" in fails(3, "fleet", "run", "--by", "wearer", "--few", "eve=2")
    assert "too few for 100 boards" in fails(3, "fleet", "run", "--by", "wearer", "--boards", "400")
    write_motions(fleet / "one.csv", 9, 1, wearers=("ann",))
    said = fails(4, "fleet", "run", "--data", "one.csv", "--by", "wearer")
    assert "all samples are ann's" in said
    assert "tpsgd-host stream" in said


def test_without_flower_the_command_says_what_to_install(fleet, monkeypatch):
    monkeypatch.setattr("tpsgd_host.fleet.run.find_spec", lambda name: None)
    assert "pip install 'tpsgd[fleet]'" in fails(10, "fleet", "run", "--by", "wearer")


def test_nobody_with_one_board_loads_a_fleet():
    program = (
        "import sys, tpsgd_host.cli, tpsgd_host.api, tpsgd_host.commands.stream, tpsgd_host.commands.flash; "
        "print([m for m in sys.modules if m.split('.')[0] in ('flwr', 'ray', 'grpc') or 'tpsgd_host.fleet' in m])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

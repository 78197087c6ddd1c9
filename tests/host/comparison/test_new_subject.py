"""Adapting to a new subject, on handwritten digits as from three scanners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tpsgd_host.adaptation.new_subject import study_new_subject
from tpsgd_host.adaptation.sources import task_subjects
from tpsgd_host.adaptation.subjects import Division, draw
from tpsgd_host.adaptation.ways import PASSES, WAYS, Tuning, few, train_model
from tpsgd_host.comparison import task_problem
from tpsgd_host.data.subjects import leave_out, subjects_of
from tpsgd_host.errors import ConfigError, DataError, DependencyError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import parse_model

pytestmark = pytest.mark.xdist_group("new subject")  # one worker: a fixture trains for all tests

SCANNERS = ("askew", "faint", "plain")
LAST, UNTRAINED, ALL, ADAPTOR, REPLAY, PROTOTYPES, PRACTICE, BOTH = WAYS


def scanned(samples):
    """A third of the samples each: as they are, a pixel to the right, with half the contrast."""
    values = samples.values.copy()
    subjects = [SCANNERS[i % 3] for i in range(len(samples))]
    for i, subject in enumerate(subjects):
        if subject == "askew":
            values[i] = np.roll(values[i], 1, axis=1)
        elif subject == "faint":
            values[i] = values[i] / 2
    return replace(samples, values=values), tuple(subjects)


@pytest.fixture(scope="module")
def digits():
    try:
        problem = task_problem("digits", epochs=5)
    except DependencyError as error:
        pytest.skip(f"{error.message} {error.hint}")
    train, train_subjects = scanned(problem.train.take(np.arange(900)))
    test, test_subjects = scanned(problem.test)
    return replace(problem, train=train, test=test), train_subjects, test_subjects


def study(digits, **options):
    problem, train, test = digits
    given = {"ways": (LAST, REPLAY), "seeds": 1, "held_out": ("askew",), "counts": (2, 10, 500), **options}
    return study_new_subject(problem, train, test, "scanner", **given)


@pytest.fixture(scope="module")
def studied(digits):
    return study(digits)


def tunings(found):
    return {(h.name, a.way, a.count): a.tuning for h in found.held_out for a in h.adapted}


def test_samples_of_the_new_one_help(studied):
    assert studied.mean("last", 10) > studied.mean("last", 0) + 0.2
    assert studied.mean("replay", 10, old=True) > studied.mean("last", 10, old=True), "old samples keep the old"
    assert studied.counts == (2, 10), "nobody has 500"
    assert [a.count for a in studied.held_out[0].adapted if a.way == "last"] == [0, 2, 10]


def test_means_keep_the_old(digits, studied):
    """A network that practises their means knows the old ones better than one that learns the new ones alone."""
    found = study(digits, ways=(PROTOTYPES, PRACTICE, BOTH), counts=(2, 10))
    for way in ("practice", "both"):
        assert found.mean(way, 10) > studied.mean("last", 0) + 0.2
        assert found.mean(way, 10, old=True) > studied.mean("last", 10, old=True), way
    assert found.mean("prototypes", 10) > found.mean("prototypes", 2) > found.mean("prototypes", 0)
    assert all(
        a.tuning.endswith(" 0 passes") for h in found.held_out for a in h.adapted if a.way == "prototypes" and a.count
    )


def test_the_same_again_with_several_processes(digits, studied):
    assert study(digits, jobs=2) == studied


def test_who_is_new_has_no_say_in_how_to_adapt(digits, studied):
    problem, train, test = digits
    dice = np.random.default_rng(1)
    labels = problem.train.labels.copy()
    new = np.array([subject == "askew" for subject in train])
    labels[new] = dice.permutation(labels[new])
    other = study((replace(problem, train=replace(problem.train, labels=labels)), train, test))
    assert tunings(other) == tunings(studied)
    assert other.held_out != studied.held_out


def test_the_test_part_has_no_say_in_how_to_adapt(digits, studied):
    problem, train, test = digits
    dice = np.random.default_rng(1)
    noise = replace(problem.test, labels=dice.permutation(problem.test.labels))
    other = study((replace(problem, test=noise), train, test))
    assert tunings(other) == tunings(studied)
    assert other.held_out != studied.held_out


def test_choosing_is_on_training_recordings(digits):
    problem, train, test = digits
    division = Division(problem.train, problem.test, train, test).choosing()
    assert not set(division.train.groups) & set(division.test.groups)
    assert set(division.train.groups) | set(division.test.groups) == set(problem.train.groups)
    assert len(division.train_subjects) == len(division.train) and len(division.test_subjects) == len(division.test)
    for one in (division.known(("askew",))[0], division.new("faint")):
        assert not set(one.groups) & set(problem.test.groups)
    assert {problem.train.groups.index(g) % 3 for g in division.new("faint").groups} == {SCANNERS.index("faint")}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_is_a_model_that_a_board_can_load(digits, way):
    problem = digits[0]
    drawn = build_model(problem.config, problem.train)
    start = way.start(drawn, train_model(drawn, problem.train, 1, 1), problem.train, 1, 1)
    model = way.model(start, Tuning(5, PASSES[0]))
    assert parse_model(model.to_bytes(), "it").weights_crc == model.weights_crc
    frozen = [layer.frozen for layer in model.layers]
    assert frozen == {"all": [False] * 3, "adaptor": [True, True, False, False]}.get(way.name, [True, True, False])
    kept = 5 * 10 * 65 if way is REPLAY else 0
    if way.answers:
        kept = 2 * 32 + 6 * 10  # what compares with prototypes
        assert way.bytes(start, 3) - way.bytes(start) == 3 * 10 * (32 + 48)
        means = way.with_means(start, problem.train.take(np.arange(200)), SCANNERS[:2] * 100)
        assert means.prototypes is not None and means.prototypes.way == way.answers
        assert parse_model(means.to_bytes(), "it").prototypes is not None
        assert len(means.prototypes.labels) == 20  # one for each digit and scanner
    assert way.bytes(start) - kept == LAST.bytes(start) or way in (ALL, ADAPTOR)


def test_few_samples_of_each_class(digits):
    train = digits[0].train
    chosen = few(train, 3, 1)
    assert np.bincount(train.labels[chosen]).tolist() == [3] * 10
    assert not np.array_equal(chosen, few(train, 3, 2))


def test_a_recording_that_is_adapted_to_is_not_tested_on(digits):
    """Two samples of every class in each recording: the draw takes recordings whole, in an order of the seed's."""
    train = digits[0].train
    order = np.concatenate([np.flatnonzero(train.labels == y)[:20] for y in range(10)])
    names = tuple(f"r{i % 20 // 2}" for i in range(200))
    new = replace(train.take(order), groups=names)
    chosen, rest = draw(new, 4, 1)
    assert chosen.shape == (10, 4) and (new.labels[chosen] == np.arange(10)[:, None]).all()
    used = {new.groups[i] for i in chosen.ravel()}
    assert len(used) == 2 and not used & set(rest.groups) and len(rest) == 160
    assert not np.array_equal(chosen, draw(new, 4, 3)[0])


def test_what_cannot_be_studied(digits):
    problem, train, test = digits
    two = tuple("plain" if subject == "faint" else subject for subject in train)
    with pytest.raises(DataError, match="three are needed"):
        study((problem, two, tuple("plain" if subject == "faint" else subject for subject in test)))
    with pytest.raises(ConfigError, match="no scanner 'ascew'") as caught:
        study(digits, held_out=("ascew",))
    assert "'askew'" in caught.value.hint
    rare = tuple("faint" if i < 12 else ("askew", "plain")[i % 2] for i in range(len(train)))
    with pytest.raises(DataError, match="but needs two"):
        study((problem, rare, test))


def test_verdict(studied):
    first, second, *_ = studied.verdict()
    assert first.startswith("A scanner that the network does not know is classified at ")
    assert "10 samples per class bring that to " in second and "within 3 points" in second


def test_whom_a_row_is_from(digits, tmp_path):
    samples = digits[0].train.take(np.arange(3))
    path = tmp_path / "rows.csv"
    path.write_text("who,x,label\nann,1,a\nbob,2,a\n,3,b\n")
    lined = replace(samples, lines=np.array([2, 3, 2]))
    assert subjects_of(path, "who", lined) == ("ann", "bob", "ann")
    with pytest.raises(DataError, match="line 4: column 'who' is empty"):
        subjects_of(path, "who", replace(samples, lines=np.array([2, 3, 4])))
    with pytest.raises(DataError, match="whom"):
        subjects_of(path, "whom", lined)
    np.savez(tmp_path / "rows.npz", who=np.array(["ann", "bob", "cy"]))
    assert subjects_of(tmp_path / "rows.npz", "who", replace(samples, lines=np.array([3, 1, 2]))) == (
        "cy",
        "ann",
        "bob",
    )
    with pytest.raises(DataError, match="no array 'when'"):
        subjects_of(tmp_path / "rows.npz", "when", lined)
    rest, apart = leave_out(lined, path, "who", ("bob",))
    assert (rest.lines.tolist(), apart.lines.tolist()) == ([2, 2], [3])
    with pytest.raises(DataError, match="no row is from who 'bobb'") as caught:
        leave_out(lined, path, "who", ("bobb",))
    assert "'bob'" in caught.value.hint
    with pytest.raises(DataError, match="every who is left out"):
        leave_out(lined, path, "who", ("ann", "bob"))
    spoken = replace(samples, groups=("3_jackson_7", "1_lucas_0", "3_jackson_9"))
    assert task_subjects("fsdd", "speaker", spoken) == ("jackson", "lucas", "jackson")
    with pytest.raises(ConfigError, match="no column 'age'"):
        task_subjects("fsdd", "age", spoken)

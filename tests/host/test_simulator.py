"""The simulator: the engines c, np and plain, the device's definition, and the shared suite on the MicroPython VM."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import cases
import numpy as np
import pytest
from boards import case_records
from golden import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st

import tpsgd_host.training.simulator
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import DataError, DependencyError
from tpsgd_host.model.modelfile import UPDATE_AT, Layer, Model, parse_model
from tpsgd_host.native.binding import library
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.simulator import Engine, Simulator

SHARED = Path(__file__).parents[1] / "shared"

needs_c = pytest.mark.skipif(library() is None, reason="no compiled trainer: tpsgd was installed without a C compiler")
ENGINES = [pytest.param("c", marks=needs_c), "np", "plain"]
FAST: Engine = "auto"


def random_records(model: Model, count: int, seed: int = 0) -> Records:
    """Return records to train on, one in five a test, some of those without a label."""
    rng = np.random.default_rng(seed)
    ops = (rng.random(count) < 0.2).astype(np.uint8)
    labels = rng.integers(0, len(model.classes), count, dtype=np.uint8)
    labels[(ops == TEST) & (rng.random(count) < 0.5)] = 255
    width = model.layout.steps * model.layout.channels
    return Records(ops, labels, rng.integers(1, 256, (count, width), dtype=np.uint8))


def take(records: Records, start: int, stop: int) -> Records:
    """Return the records of a range."""
    return Records(records.ops[start:stop], records.labels[start:stop], records.data[start:stop])


def outcome(simulator: Simulator, *parts: Records, total: int = 0) -> tuple[int, int, int, bytes]:
    """Run records; return the applied, the seen, the weights' CRC and all results."""
    simulator.start(1, total, True)
    results = b"".join(r.tobytes() for records in parts for r in simulator.stream(records))
    end = simulator.finish()
    assert end.weights_crc == crc32(simulator.weights())
    return end.applied, end.seen, end.weights_crc, results


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Draw a small model: any depth and kind of layer, any rule, any loss."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    front = draw(st.sampled_from(["", "recurrent", "conv", "temporal"]))
    steps, channels, phases = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 8))
    checkpoints = draw(st.integers(1, steps)) if front == "recurrent" else 0
    classes = draw(st.integers(2, 9))
    layers: list[Layer] = []
    inputs, below = steps * channels, channels
    for _ in range(draw(st.integers(1, 3)) if front == "recurrent" else 0):
        units = draw(st.integers(1, 30))
        layers.append(_layer(draw, "recurrent", units, below + units, phases))
        below, inputs = units, checkpoints * units
    if front == "conv":
        inputs = _conv(draw, steps, channels, phases, layers)
    if front == "temporal":
        taps, segments, units = draw(st.integers(1, steps)), draw(st.integers(1, steps)), draw(st.integers(1, 30))
        layer = _layer(draw, "temporal", units, taps * channels, phases)
        layers.append(replace(layer, rows=taps, segments=segments, amplitude=0, loss="l2", l1=0))
        inputs = segments * units
    for _ in range(draw(st.integers(0, 2))):
        units = draw(st.integers(1, 40))
        layers.append(_layer(draw, "dense", units, inputs, phases))
        inputs = units
    if front == "temporal" or draw(st.booleans()):
        layers = _fed(layers, front != "conv" or draw(st.booleans()))
    layers.append(_layer(draw, "output", classes, inputs, phases))
    weights = tuple(
        rng.integers(1, 256, (w.units, w.inputs + 1), dtype=np.uint8)
        if w.frozen
        else rng.integers(256, 65536, (w.units, w.inputs + 1), dtype=np.uint16)
        for w in layers
    )
    return Model(
        "drawn", draw(st.integers(1, 2**32 - 1)), Layout(steps, channels), tuple(f"class {i}" for i in range(classes)),
        tuple(layers), Scaling(np.zeros(1, np.float32), np.ones(1, np.float32)), weights, checkpoints,
        draw(st.sampled_from(UPDATE_AT)), draw(st.integers(0, 30)),
    )  # fmt: skip


def _fed(layers: list[Layer], conv: bool) -> list[Layer]:
    """Return the layers learning from feedback, conv ones only with ``conv``."""
    return [w if w.kind == "conv" and not conv else replace(w, amplitude=0, loss="l2", l1=0, regions=0) for w in layers]


def _conv(draw: st.DrawFn, rows: int, width: int, phases: int, layers: list[Layer]) -> int:
    """Add conv layers; return the inputs of the next layer."""
    depth = draw(st.sampled_from([d for d in range(1, width + 1) if width % d == 0]))
    columns = width // depth
    for _ in range(draw(st.integers(1, 3))):
        kernel = draw(st.integers(1, rows)), draw(st.integers(1, columns))
        padded = kernel[0] % 2 == kernel[1] % 2 == 1 and draw(st.booleans())
        if padded:
            rows, columns = rows + kernel[0] - 1, columns + kernel[1] - 1
        stride = draw(st.integers(1, 3))
        layer = _layer(draw, "conv", draw(st.integers(1, 20)), kernel[0] * kernel[1] * depth, phases)
        rows, columns = (rows - kernel[0]) // stride + 1, (columns - kernel[1]) // stride + 1
        pool = draw(st.integers(1, rows if columns == 1 else min(rows, columns)))
        regions = draw(st.integers(1, 15))
        layers.append(
            replace(layer, rows=kernel[0], columns=kernel[1], stride=stride, pool=pool, regions=regions, padded=padded)
        )
        rows, columns, depth = rows // pool, columns // pool if columns > 1 else 1, layer.units
    return rows * columns * depth


def _layer(draw: st.DrawFn, kind: str, units: int, inputs: int, phases: int) -> Layer:
    l1 = kind != "output" and draw(st.booleans())
    return Layer(
        kind, units, inputs, tuple(draw(st.lists(st.integers(0, 15), min_size=phases, max_size=phases))),
        draw(st.integers(0, 15)), draw(st.integers(0, 7)) if kind == "recurrent" else 0, draw(st.integers(1, 127)),
        "l1" if l1 else "l2", draw(st.integers(1, 127)) if l1 else 0, draw(st.booleans()),
    )  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", range(cases.CASES))
def test_engine_gives_the_golden_table(case: int, engine: Engine) -> None:
    """Each engine trains each case to the weights and results that boards reach."""
    model = parse_model(cases.model_bytes(case), f"case {case}")
    _, _, weights, results = outcome(Simulator(model, engine), case_records(case), total=cases.SAMPLES)
    assert (weights, crc32(results)) == GOLDEN[case]


@settings(max_examples=80)
@given(model=models(), total=st.integers(0, 30), seed=st.integers(0, 2**32 - 1))
def test_engines_agree_on_any_model(model: Model, total: int, seed: int) -> None:
    """The engines give the same bits for every kind of model."""
    records = random_records(model, 16, seed)
    names: list[Engine] = ["plain", "np"] + (["c"] if library() else [])
    plain, *others = (outcome(Simulator(model, name), records, total=total) for name in names)
    for other in others:
        assert other == plain


@pytest.mark.parametrize("engine", ENGINES)
def test_cuts_between_records_do_not_matter(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records applied in pieces train as they do in one go."""
    model = parse_model(cases.model_bytes(5), "case 5")
    records = random_records(model, 60)
    whole = outcome(Simulator(model, engine), records, total=50)
    parts = [take(records, a, b) for a, b in ((0, 1), (1, 1), (1, 38), (38, 60))]
    assert outcome(Simulator(model, engine), *parts, total=50) == whole
    monkeypatch.setitem(tpsgd_host.training.simulator.CHUNK, engine, 7)
    assert outcome(Simulator(model, engine), records, total=50) == whole


@pytest.mark.parametrize("engine", ENGINES)
def test_arrays_need_not_be_contiguous(engine: Engine) -> None:
    """Strided arrays count by their values."""
    model = parse_model(cases.model_bytes(4), "case 4")
    records = random_records(model, 20)
    strided = Records(
        np.repeat(records.ops, 2)[::2], np.repeat(records.labels, 2)[::2], np.asfortranarray(records.data)
    )
    assert outcome(Simulator(model, engine), strided) == outcome(Simulator(model, engine), records)


@pytest.mark.parametrize("engine", ENGINES)
def test_abandoned_iterator_keeps_what_it_applied(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that stops early has exactly the yielded results, and can continue from there."""
    monkeypatch.setitem(tpsgd_host.training.simulator.CHUNK, engine, 10)
    model = parse_model(cases.model_bytes(3), "case 3")
    records = random_records(model, 40)
    simulator = Simulator(model, engine)
    simulator.start(1, 40, True)
    iterator = simulator.stream(records)
    first = next(iterator).tobytes() + next(iterator).tobytes()
    del iterator
    end = simulator.finish()
    reference = outcome(Simulator(model, engine), take(records, 0, 20), total=40)
    assert (end.applied, end.seen, end.weights_crc, first) == reference
    rest = b"".join(r.tobytes() for r in simulator.stream(take(records, 20, 40)))
    whole = outcome(Simulator(model, engine), records, total=40)
    assert (simulator.finish().weights_crc, first + rest) == whole[2:]


@pytest.mark.parametrize("engine", ENGINES)
def test_begin_goes_on_or_begins_anew(engine: Engine) -> None:
    """A run begins from the present weights, or from the model's own."""
    model = parse_model(cases.model_bytes(7), "case 7")
    records = random_records(model, 30)
    simulator = Simulator(model, engine)
    first = outcome(simulator, records, total=30)
    simulator.start(2, 30, False)
    assert simulator.finish().applied == 0
    assert crc32(simulator.weights()) == first[2]
    list(simulator.stream(records))
    continued = Simulator(model.with_weights(_weights_after(model, records)), engine)
    assert simulator.finish().weights_crc == outcome(continued, records, total=30)[2]
    assert outcome(simulator, records, total=30) == first


def _weights_after(model: Model, records: Records) -> bytes:
    simulator = Simulator(model, "plain")
    outcome(simulator, records, total=30)
    return simulator.weights()


@pytest.mark.parametrize("engine", ENGINES)
def test_evaluate_learns_nothing(engine: Engine) -> None:
    """Evaluation gives what test records give, and leaves no trace."""
    model = parse_model(cases.model_bytes(1), "case 1")
    records = random_records(model, 30)
    simulator = Simulator(model, engine)
    outcome(simulator, records, total=30)
    before = simulator.finish()
    results = simulator.evaluate(records)
    assert simulator.finish() == before
    assert results.shape == (30, 2)
    tests = Records(np.full(30, TEST, np.uint8), records.labels, records.data)
    assert np.array_equal(np.concatenate(list(simulator.stream(tests))), results)
    assert simulator.evaluate(take(records, 0, 0)).shape == (0, 2)


def test_the_model_is_left_as_it_is() -> None:
    """Training does not write into the model's arrays."""
    model = parse_model(cases.model_bytes(2), "case 2")
    before = model.to_bytes()
    outcome(Simulator(model, FAST), random_records(model, 20))
    assert model.to_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": np.ones((3, 1), np.uint8)}, "shape"),
        ({"labels": np.array([0, 200, 0], np.uint8)}, "class 200"),
        ({"labels": np.array([0, 255, 0], np.uint8)}, "class 255"),
        ({"ops": np.array([0, 2, 0], np.uint8)}, "operation 2"),
        ({"data": np.zeros((3, 0), np.uint8)}, "shape"),
        ({"data": None}, "byte 0"),
        ({"ops": np.zeros(3, np.int64)}, "int64"),
    ],
)
def test_records_of_another_model_are_refused(change: dict[str, np.ndarray | None], words: str) -> None:
    """Records that do not fit are refused before any is applied."""
    model = parse_model(cases.model_bytes(0), "case 0")
    width = model.layout.steps * model.layout.channels
    fields = {"ops": np.zeros(3, np.uint8), "labels": np.zeros(3, np.uint8), "data": np.ones((3, width), np.uint8)}
    fields |= {k: np.zeros((3, width), np.uint8) if v is None else v for k, v in change.items()}
    simulator = Simulator(model, FAST)
    with pytest.raises(DataError, match=words):
        simulator.stream(Records(**fields))
    assert simulator.finish().applied == 0


def test_without_a_compiled_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the compiled trainer auto takes np, and asking for c says what to do."""
    monkeypatch.setattr(tpsgd_host.training.simulator, "library", lambda: None)
    model = parse_model(cases.model_bytes(0), "case 0")
    assert Simulator(model).engine == "np"
    with pytest.raises(DependencyError) as caught:
        Simulator(model, "c")
    assert "np" in caught.value.hint


@needs_c
def test_auto_takes_the_compiled_trainer() -> None:
    """Auto takes c where it is there."""
    assert Simulator(parse_model(cases.model_bytes(0), "case 0")).engine == "c"


def test_shared_suite_on_micropython(interpreter: str) -> None:
    """The shared suite passes on the MicroPython VM, viper and the locked heap among it."""
    done = subprocess.run([interpreter, str(SHARED / "run.py")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("passed")]
    assert {"test_golden_plain", "test_golden_viper", "test_viper_allocates_nothing"} <= set(passed), done.stdout
    assert ", 0 failed, " in done.stdout.splitlines()[-1]


def test_shared_suite_runs_without_pytest() -> None:
    """The small runner works on CPython and names what it skips."""
    words = ["viper", "engine", "window"]  # pytest runs all of them on CPython
    done = subprocess.run([sys.executable, str(SHARED / "run.py"), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED test_golden_viper: no engine viper" in done.stdout

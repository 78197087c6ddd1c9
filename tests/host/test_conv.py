"""Conv layers that learn from feedback: SPEC 1.2 and 1.3 written out once more, and what a description may not say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from networks import conv_model

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import ConfigError, ModelError
from tpsgd_host.model.config import label_targets
from tpsgd_host.model.modelfile import OFFSET, Layer, Model, initial_weights, memory, parse_model, stored
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.native.binding import library
from tpsgd_host.rules import Architecture, shuffled, train
from tpsgd_host.rules.draws import drawn_weights
from tpsgd_host.training.executor import Records
from tpsgd_host.training.simulator import Engine, Simulator

Integers = npt.NDArray[np.integer[Any]]

ENGINES: list[Engine] = ["plain", "np", *(["c"] if library() else [])]  # type: ignore[list-item]

#: Of each conv layer: filters, kernel rows and columns, stride, pool, padded.
Conv = tuple[int, int, int, int, int, bool]

NETS: dict[str, tuple[tuple[int, int, int], list[Conv]]] = {
    "pooled, then strided": ((9, 8, 2), [(5, 3, 3, 1, 2, False), (4, 2, 2, 2, 1, False)]),
    "padded": ((6, 5, 1), [(4, 3, 3, 1, 1, True), (3, 3, 5, 1, 2, True), (5, 1, 3, 2, 1, True)]),
    "windows that skip rows": ((9, 4, 1), [(3, 1, 1, 1, 1, False), (4, 1, 1, 3, 2, False)]),
    "along time": ((12, 1, 3), [(4, 3, 1, 1, 2, False), (5, 3, 1, 1, 2, True)]),
    "one layer": ((5, 5, 1), [(6, 3, 3, 1, 3, False)]),
}


def network(image: tuple[int, int, int], convs: list[Conv], frozen: int = 0, classes: int = 3) -> Model:
    """Return conv layers that learn from feedback and an output; the first ``frozen`` layers do not learn."""
    rows, columns, depth = image
    layers = []
    for i, (m, kr, kc, stride, pool, padded) in enumerate(convs):
        layers.append(
            Layer("conv", m, kr * kc * depth, (8,), amplitude=0, frozen=i < frozen, rows=kr, columns=kc, stride=stride,
                  pool=pool, padded=padded)
        )  # fmt: skip
        rows = (rows + (kr - 1 if padded else 0) - kr) // stride + 1
        columns = (columns + (kc - 1 if padded else 0) - kc) // stride + 1
        rows, columns, depth = rows // pool, columns // pool if columns > 1 else 1, m
    layers.append(Layer("output", classes, rows * columns * depth, (6,), amplitude=0))
    weights = [
        initial_weights(3, i, w.units, w.inputs, round((3 / w.inputs) ** 0.5 * 2**13)) for i, w in enumerate(layers)
    ]
    weights[:frozen] = [(w >> 8).astype(np.uint8) for w in weights[:frozen]]
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    layout = Layout(image[0], image[1] * image[2])
    return Model("c", 3, layout, tuple("abcdefghi"[:classes]), tuple(layers), scaling, tuple(weights))


def high(v: Integers) -> Integers:
    """Return weights as the forward pass reads them."""
    return (v + 128) >> 8


def updated(v: Integers, change: Integers, shift: int) -> Integers:
    """Return weights after an update."""
    return np.clip(v + ((change + (1 << (shift - 1))) >> shift), -32640, 32639)


class Written:
    """The same network written out in plain integers, as SPEC has it: maps (rows, columns, D), weights v (m, n + 1)."""

    SOFTMAX = np.array([int(255 * np.exp(-d / 16) + 0.5) if d < 100 else 0 for d in range(256)])

    def __init__(self, model: Model, image: tuple[int, int, int]) -> None:
        self.image = image
        self.layers = model.layers[:-1]
        self.v = [w.astype(np.int64) - OFFSET for w in model.weights]
        self.shifts = [layer.shifts[0] for layer in model.layers]

    def patch(self, layer: Layer, source: Integers, r: int, q: int) -> Integers:
        """Return the patch of a position, with the bias."""
        padded = self.bordered(layer, source)
        at = padded[r * layer.stride :, q * layer.stride :][: layer.rows, : layer.columns]
        return np.append(at.ravel(), 127)

    @staticmethod
    def bordered(layer: Layer, source: Integers) -> Integers:
        """Return a map with its border."""
        above, left = (layer.rows // 2, layer.columns // 2) if layer.padded else (0, 0)
        return np.pad(source, ((above, above), (left, left), (0, 0)))

    def windows(self, layer: Layer, source: Integers) -> tuple[int, int, list[tuple[int, int]]]:
        """Return rows and columns of a layer's own map, and the positions of its first window."""
        height, width, _ = self.bordered(layer, source).shape
        down = (height - layer.rows) // layer.stride + 1
        across = (width - layer.columns) // layer.stride + 1
        beside = layer.pool if across > 1 else 1
        return down // layer.pool, across // beside, [(i, j) for i in range(layer.pool) for j in range(beside)]

    def sums(self, i: int, source: Integers, r: int, q: int) -> Integers:
        """Return the activations of layer ``i`` at the positions of a window, shape (p*p, m), and these positions."""
        layer = self.layers[i]
        _, _, first = self.windows(layer, source)
        p, beside = first[-1][0] + 1, first[-1][1] + 1
        at = [(r * p + y, q * beside + x) for y, x in first]
        a = [np.clip((high(self.v[i]) @ self.patch(layer, source, *one)) >> 5, -127, 127) for one in at]
        return np.array(a), at

    def train(self, x: Integers, y: int) -> None:
        """Learn one sample."""
        maps = [x.reshape(self.image)]
        for i, layer in enumerate(self.layers):
            rows, columns, _ = self.windows(layer, maps[-1])
            made = [[self.sums(i, maps[-1], r, q)[0].max(axis=0) for q in range(columns)] for r in range(rows)]
            maps.append(np.array(made))
        last = np.append(maps[-1].ravel(), 127)
        z = (high(self.v[-1]) @ last) >> 5
        share = self.SOFTMAX[np.minimum((z.max() - z) >> 1, 255)]
        e = -((127 * share + (share.sum() >> 1)) // share.sum())
        e[y] += 127
        if e[y] == 0:
            return
        f = np.clip((e @ high(self.v[-1])[:, :-1]) >> 2, -127, 127)
        f[np.abs(last[:-1]) == 127] = 0
        self.v[-1] = updated(self.v[-1], np.outer(e, last), self.shifts[-1])
        f = f.reshape(maps[-1].shape)
        for i in range(len(self.layers) - 1, -1, -1):
            f = self.learn(i, maps[i], f)

    def learn(self, i: int, source: Integers, f: Integers) -> Integers:
        """Learn in layer ``i`` from the feedback in its own map; return the feedback to the map that it reads."""
        layer = self.layers[i]
        below = np.zeros_like(self.bordered(layer, source))
        for r, q in np.ndindex(f.shape[:2]):
            a, at = self.sums(i, source, r, q)
            place = a.argmax(axis=0)
            for j, (row, column) in enumerate(at):
                e = np.where(place == j, f[r, q], 0)
                patch = self.patch(layer, source, row, column)
                g = np.clip((e @ high(self.v[i])[:, :-1] + 16) >> 5, -127, 127)
                g[np.abs(patch[:-1]) == 127] = 0
                reached = below[row * layer.stride :, column * layer.stride :][: layer.rows, : layer.columns]
                reached[...] = np.clip(reached + g.reshape(reached.shape), -127, 127)
                self.v[i] = updated(self.v[i], np.outer(e, patch), self.shifts[i])
        above, left = (layer.rows // 2, layer.columns // 2) if layer.padded else (0, 0)
        height, width, _ = source.shape
        return below[above : above + height, left : left + width]


def trained(model: Model, engine: Engine, x: Integers, y: Integers) -> bytes:
    """Return the weights after training on samples."""
    simulator = Simulator(model, engine)
    simulator.start(1, 0, True)
    data = (x + 128).astype(np.uint8)
    list(simulator.stream(Records(np.zeros(len(x), np.uint8), y.astype(np.uint8), data)))
    return simulator.weights()


def noise(model: Model, count: int) -> tuple[Integers, Integers]:
    """Return random samples (S, T*C) and classes."""
    rng = np.random.default_rng(5)
    x = rng.integers(-127, 128, (count, model.layout.steps * model.layout.channels))
    return x, rng.integers(0, len(model.classes), count)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("image", "convs"), NETS.values(), ids=NETS)
def test_engines_compute_what_the_specification_says(
    engine: Engine, image: tuple[int, int, int], convs: list[Conv]
) -> None:
    """Weights after training equal those of the page's arithmetic, written out here a second time."""
    model = network(image, convs)
    x, y = noise(model, 25)
    written = Written(model, image)
    for sample, label in zip(x, y, strict=True):
        written.train(sample, int(label))
    got = trained(model, engine, x, y)
    at = 0
    for before, v in zip(model.weights, written.v, strict=True):
        layer = got[at : at + before.nbytes]
        assert layer == stored((v + OFFSET).astype("<u2"))
        assert layer != stored(before)
        at += before.nbytes


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("frozen", [1, 2])
def test_frozen_layers_keep_their_weights(engine: Engine, frozen: int) -> None:
    """Layers after a frozen one learn; the feedback ends there, and no memory is planned for it."""
    model = network(*NETS["pooled, then strided"], frozen=frozen)
    x, y = noise(model, 20)
    got = trained(model, engine, x, y)
    kept = sum(w.nbytes for w in model.weights[:frozen])
    assert got[:kept] == b"".join(w.tobytes() for w in model.weights[:frozen])
    assert got[kept:] != b"".join(stored(w) for w in model.weights[frozen:])
    assert got == trained(model, "plain", x, y)
    assert "feedback rows" not in dict(memory(model).buffers)


def test_memory_of_feedback() -> None:
    """A ring of (p - 1)*stride + k rows of the map before, and no more of them than the map has."""
    for name, rows, width in (("pooled, then strided", 2, 15), ("padded", 4, 20), ("along time", 4, 4)):
        model = network(*NETS[name])
        assert dict(memory(model).buffers)["feedback rows"] == rows * width, name
    assert "feedback rows" not in dict(memory(network(*NETS["one layer"])).buffers)


@pytest.mark.parametrize("name", NETS)
def test_the_float_rules_see_the_same_maps(name: str) -> None:
    """What ``compare`` trains by backprop has the shapes of the integer network, padding and all."""
    model = network(*NETS[name])
    architecture = Architecture.from_model(model)
    architecture.check()
    maps = [(one.rows, one.columns, layer.units) for one, layer in zip(model.maps, model.layers, strict=False)]
    assert list(architecture.images()[1:]) == maps
    x, y = noise(model, 30)
    course = shuffled((x / 127).astype(np.float32), y, 1, 1)
    result = train("bp", architecture, course, [], rates=[0.01], seeds=[1])
    before = drawn_weights(architecture, 1)
    assert all(np.abs(w[0] - v).max() > 0 for w, v in zip(result.weights, before, strict=True))


def test_a_model_file_keeps_it() -> None:
    """A file is read back as it was written, and says in a word what is in it."""
    model = network(*NETS["padded"])
    again = parse_model(model.to_bytes(), "c")
    assert again.layers == model.layers
    assert again.shape == "CNN 6x5-4@3x3p-3@3x5p/2-5@1x3ps2-3"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regions": 1}, "kernel"),
        ({"amplitude": 100}, "kernel"),
        ({"amplitude": 100, "regions": 2}, "target in a stack"),
        ({"loss": "l1", "l1": 3}, "loss"),
        ({"padded": True, "rows": 2, "columns": 9}, "kernel"),
        ({"leak": 1}, "leak"),
    ],
)
def test_a_reader_refuses(change: dict[str, int], said: str) -> None:
    """A board's parser refuses each field that is out of its range."""
    model = network(*NETS["pooled, then strided"])
    with pytest.raises(ModelError, match=said):
        replace(model, layers=(replace(model.layers[0], **change), *model.layers[1:])).to_bytes()  # type: ignore[arg-type]


def test_a_reader_refuses_padding_elsewhere_and_large_windows() -> None:
    """Only conv layers have padding; a place takes one byte, but a layer with targets needs no places."""
    model = network((40, 40, 1), [(2, 1, 1, 1, 17, False)])
    with pytest.raises(ModelError, match="pooling in layer 0"):
        model.to_bytes()
    first = replace(model.layers[0], amplitude=100, regions=2)
    assert parse_model(replace(model, layers=(first, model.layers[1])).to_bytes(), "c").layers[0].pool == 17
    output = replace(model.layers[1], padded=True)
    with pytest.raises(ModelError, match="layer flags"):
        replace(model, layers=(first, output)).to_bytes()


TOML = """\
[data]
steps = 12
channels = 12
[training]
target = "{target}"
[[layer]]
kind = "conv"
units = 8
kernel = [3, 3]
{settings}
[[layer]]
kind = "output"
"""


def test_what_a_description_says() -> None:
    """Feedback and no padding are the defaults; label targets have the defaults of conv layers, wherever named."""
    layer = parse_config(TOML.format(settings="", target="feedback"), "c.toml").layers[0]
    assert (layer.amplitude, layer.loss, layer.l1, layer.regions, layer.padded) == (0, "l2", 0, 0, False)
    assert (
        parse_config(TOML.format(settings='padding = "same"\npool = 2', target="feedback"), "c.toml").layers[0].padded
    )
    for settings, target in (('target = "label"', "feedback"), ("", "label")):
        labelled = parse_config(TOML.format(settings=settings, target=target), "c.toml").layers[0]
        assert (labelled.amplitude, labelled.loss, labelled.l1, labelled.regions) == (127, "l1", 64, 3)
        assert labelled == replace(layer, **label_targets("conv"))


@pytest.mark.parametrize(
    ("settings", "said", "hint"),
    [
        ("regions = 2", "learns from feedback", "Remove"),
        ("l1 = 32", "learns from feedback", "Remove"),
        ('padding = "full"', "padding", ""),
    ],
)
def test_what_a_description_may_not_say(settings: str, said: str, hint: str) -> None:
    """Each mistake is told with the line, and what to do."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_config(TOML.format(settings=settings, target="feedback"), "c.toml")
    assert hint in caught.value.hint


def test_padding_needs_a_middle() -> None:
    """A kernel of an even size has none."""
    text = TOML.format(settings='padding = "same"', target="feedback").replace("[3, 3]", "[3, 4]")
    with pytest.raises(ConfigError, match="a kernel of 4") as caught:
        parse_config(text, "c.toml")
    assert "odd" in caught.value.hint


def test_a_stack_has_one_target() -> None:
    """A conv layer with targets before one that learns from feedback is refused, and the other way round."""
    text = TOML.format(settings="", target="feedback")
    second = '[[layer]]\nkind = "conv"\nunits = 4\nkernel = [3, 3]\ntarget = "label"\n[[layer]]\nkind = "output"'
    both = text.replace('[[layer]]\nkind = "output"', second)
    with pytest.raises(ConfigError, match="the layer before it learns from feedback"):
        parse_config(both, "c.toml")
    first = both.index("kernel")
    swapped = both.replace('target = "label"\n[[layer]]', "[[layer]]")
    swapped = swapped[:first] + 'target = "label"\n' + swapped[first:]
    with pytest.raises(ConfigError, match="the conv layer before it does not"):
        parse_config(swapped, "c.toml")


def test_windows_of_a_layer_from_feedback_are_small() -> None:
    """A place takes a byte."""
    text = TOML.format(settings="pool = 17", target="feedback").replace("= 12", "= 30")
    with pytest.raises(ConfigError, match="pools 289 positions"):
        parse_config(text, "c.toml")


def test_old_files_mean_what_they_meant() -> None:
    """A conv layer with targets is written as before: no flag, and its regions."""
    data = conv_model().to_bytes()
    assert data[45] == 0
    assert parse_model(data, "c").layers[0].regions == 3

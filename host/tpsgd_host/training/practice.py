"""Prototypes of a network's own readout inputs, and practice with them, as a board practises (SPEC 1.11, 1.12).

Shapes: R samples, T steps, C channels, N classes, P prototypes, n inputs of the output layer without the bias.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd import runtime
from tpsgd.answer import Answer
from tpsgd.modelfile import Model as DeviceModel
from tpsgd.network import build
from tpsgd.taught import Taught
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.prototypes import VARIATIONS, Bytes, Prototypes
from tpsgd_host.model.varying import usual_variation
from tpsgd_host.native.binding import NativeTrainer, library
from tpsgd_host.training.executor import TRAIN, Records
from tpsgd_host.training.simulator import Simulator
from tpsgd_host.training.varied import varied

PASSES, SHIFT = 60, 6  # of practice on varied samples
MEANS = 4  # prototypes of a class whose samples name nobody
ROUNDS = 10  # of finding them
_ENGINE = 2  # NumPy, where there is no compiled trainer

Ints = npt.NDArray[np.int64]


def readouts(model: Model, data: Bytes) -> Bytes:
    """Return the inputs of the output layer for samples, stored activations (R, T*C): shape (R, n)."""
    data = np.ascontiguousarray(data)
    lib = library()
    if lib is not None:
        return NativeTrainer(model, lib).inputs(data)
    network, _ = _device(replace(model, prototypes=None))
    found = np.zeros((len(data), model.layers[-1].inputs), np.uint8)
    for i, row in enumerate(data):
        network.sample[: len(row)] = row.tobytes()
        network.test()
        found[i] = np.asarray(network.output[1])[:-1] + 128
    return found


def with_prototypes(model: Model, data: Bytes, labels: Bytes, persons: Sequence[str] = (), **how: Any) -> Model:
    """Return a network with the means of samples as prototypes, its body frozen.

    Parameters
    ----------
    model : Model
        Its body is frozen already.
    data, labels : ndarray of uint8, shapes (R, T*C), (R,)
    persons : sequence of str, length R
        Who made each sample: there is a mean of each person and class, ``MEANS`` of a class of samples of nobody.
    how
        Further fields of :class:`~tpsgd_host.model.prototypes.Prototypes`.
    """
    x = readouts(model, data)
    who = np.array(persons or [""] * len(labels), object)
    vectors, classes = [], []
    for y in sorted(set(labels.tolist())):
        for name in sorted(set(who[labels == y])):
            own = x[(labels == y) & (who == name)]
            for vector in means(own, 1 if name else MEANS):
                vectors.append(vector)
                classes.append(y)
    mu, owners = np.stack(vectors), np.array(classes, np.uint8)
    scales = tuple(_scale(x[labels == y], mu[owners == y]) for y in range(len(model.classes)))
    return replace(model, prototypes=Prototypes(mu, owners, scales, **how))


def means(x: Bytes, count: int) -> Bytes:
    """Return at most ``count`` rounded means of groups of vectors (R, n), each group nearest to its mean."""
    values = x.astype(np.int64)
    centres = values[np.linspace(0, len(values) - 1, min(count, len(values))).astype(int)]
    for _ in range(ROUNDS if count > 1 else 1):
        group = distances(values, centres).argmin(axis=1)
        found = [_mean(values[group == k]) for k in range(len(centres)) if (group == k).any()]
        centres = np.stack(found)
    rounded: Bytes = centres.astype(np.uint8)
    return rounded


def distances(x: npt.NDArray[Any], mu: npt.NDArray[Any]) -> Ints:
    """Return the distance of each vector, (R, n), to each prototype, (P, n): shape (R, P)."""
    mu = mu.astype(np.int64)
    return np.stack([np.abs(row - mu).sum(axis=1) for row in x.astype(np.int64)])


def _mean(values: Ints) -> Ints:
    mean: Ints = (2 * values.sum(axis=0) + len(values)) // (2 * len(values))
    return mean


def _scale(x: Bytes, mu: Bytes) -> int:
    """Return the floored mean distance of samples to the nearest prototype of their class, at least 1."""
    if not len(x) or not len(mu):
        return 1
    return max(1, min(0xFFFF, int(distances(x, mu).min(axis=1).mean())))


def variation_of(model: Model) -> str:
    """Return how practice varies samples of a network: as its training does, else as its kind of data suggests."""
    return model.variation if model.variation != "none" else usual_variation(model.layout)


def taught(model: Model, data: Bytes, labels: Bytes, passes: int) -> Model:
    """Return a network as a board has it that was taught samples, shapes (R, T*C) and (R,), and then practised.

    What was taught is among the prototypes of the network that is returned, as it is on the board.
    """
    assert model.prototypes is not None
    known, data, labels = model.prototypes, np.ascontiguousarray(data), np.ascontiguousarray(labels)
    weights = model.weights
    if known.way != "prototypes":
        weights = model.with_weights(_practised(model, data, labels, passes)).weights
    vectors = np.concatenate([known.vectors, readouts(model, data)])
    more = replace(known, vectors=vectors, labels=np.concatenate([known.labels, labels]))
    return replace(model, weights=weights, prototypes=more)


def _practised(model: Model, data: Bytes, labels: Bytes, passes: int) -> bytes:
    """Return the weights after each sample was learned once, as ``teach`` does, and then practised."""
    assert model.prototypes is not None
    kind, lib = VARIATIONS.index(model.prototypes.variation), library()
    if lib is not None:
        trainer = NativeTrainer(model, lib)
        trainer.run(np.full(len(labels), TRAIN, np.uint8), labels, data)
        trainer.practise(kind, data, labels, passes)
        return trainer.weights()
    network, answer = _device(model)
    store = Taught(network, answer, 1 << 24)
    for row, y in zip(data, labels.tolist(), strict=True):
        network.sample[: len(row)] = row.tobytes()
        store.teach(y)
    store.practise(passes * store.pass_size())
    return b"".join(network.weights())


def _device(model: Model) -> tuple[Any, Any]:
    """Return the network in the device's own code, and what answers by its prototypes, if it has any."""
    file = io.BytesIO(model.to_bytes())
    device = DeviceModel(file)
    network = build(file, device, runtime.engine(_ENGINE))
    return network, Answer(device, network, file) if model.prototypes else None


def trained_on(model: Model, data: Bytes, labels: Bytes, orders: Sequence[Ints]) -> Model:
    """Return a network trained on samples, (R, T*C) and (R,), in these orders one after the other.

    They are varied as the network says.
    """
    simulator = Simulator(model)
    simulator.start(0, sum(len(order) for order in orders), True)
    for order in orders:
        ops = np.full(len(order), TRAIN, np.uint8)
        shown = varied(model.variation, model.layout, data[order], 1, simulator.seen)
        for _ in simulator.stream(Records(ops, labels[order], shown)):
            pass
    return model.with_weights(simulator.weights())

"""Trains on the host as a board would: the same records give the same weights, bit for bit.

Shapes: R records, T steps, C channels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Literal, Protocol, get_args
from zlib import crc32

import numpy as np

from tpsgd import runtime
from tpsgd.answer import Answer
from tpsgd.modelfile import Model as DeviceModel
from tpsgd.network import UNKNOWN, build
from tpsgd_host.errors import DataError, DependencyError
from tpsgd_host.model.modelfile import Model, Weights, memory, stored
from tpsgd_host.native.binding import NativeTrainer, library
from tpsgd_host.training.executor import TEST, TRAIN, Bytes, Outcome, RecordExecutor, Records

Engine = Literal["auto", "c", "np", "plain"]

#: Records in each batch of results.
CHUNK = {"c": 256, "np": 256, "plain": 32}


class Simulator(RecordExecutor):
    """A trainer on the host; an :class:`~tpsgd_host.training.executor.Executor`.

    Parameters
    ----------
    model : Model
        The model to train; it is not modified.
    engine : {"auto", "c", "np", "plain"}
        ``auto`` takes the compiled trainer, or ``np`` where it was not built. All give the same bits.

    Attributes
    ----------
    engine : str
        The engine in use.

    Raises
    ------
    DependencyError
        When ``engine`` is "c" and there is no compiled trainer.
    """

    def __init__(self, model: Model, engine: Engine = "auto") -> None:
        self.model = model
        self.engine, self._trainer = _trainer(model, engine)

    def start(self, run_id: int, total: int, fresh: bool) -> None:  # noqa: ARG002 - a board keeps the run's id
        """Begin a run of ``total`` training samples; ``fresh``: from the model's own weights, else the present ones."""
        if fresh:
            self._trainer.load(self.model.weights)
        self._trainer.begin(total)

    def stream(self, records: Records) -> Iterator[Bytes]:
        """Apply records in order; yield their results, a few hundred at a time, as arrays (r, 2).

        If the caller stops early, the remaining records are not applied; those already applied count.

        Raises
        ------
        DataError
            Before any record is applied, when the records do not fit the model.
        """
        self._check(records)
        return self._chunks(records)

    @property
    def seen(self) -> int:
        """Training samples learned since the run began."""
        return self._trainer.seen

    def finish(self) -> Outcome:
        """Return the state after the run."""
        trainer = self._trainer
        details: dict[str, object] = {"engine": self.engine, "state_bytes": memory(self.model).total}
        return Outcome(trainer.applied, trainer.seen, crc32(trainer.weights()), details)

    def weights(self) -> bytes:
        """Return the present weight bytes of all layers, as stored."""
        return self._trainer.weights()

    def evaluate(self, records: Records) -> Bytes:
        """Classify records, whatever their ops, with the present weights; nothing is learned or counted.

        Parameters
        ----------
        records : Records
            Labels may be 255 (unknown).

        Returns
        -------
        ndarray of uint8, shape (R, 2)
            Predicted class, and the probability p_y of the label, or of the predicted class where the label is unknown.
        """
        tests = Records(np.full(len(records), TEST, np.uint8), records.labels, records.data)
        self._check(tests)
        applied = self._trainer.applied
        results = [np.zeros((0, 2), np.uint8), *self._chunks(tests)]
        self._trainer.applied = applied
        return np.concatenate(results)

    def _chunks(self, records: Records) -> Iterator[Bytes]:
        ops, labels, data = (np.ascontiguousarray(a) for a in (records.ops, records.labels, records.data))
        size = CHUNK[self.engine]
        for i in range(0, len(ops), size):
            yield self._trainer.run(ops[i : i + size], labels[i : i + size], data[i : i + size])

    def _check(self, records: Records) -> None:
        """Raise for records that a board would refuse."""
        layout, classes = self.model.layout, len(self.model.classes)
        ops, labels, data = records.ops, records.labels, records.data
        for name, array, shape in (
            ("ops", ops, (len(ops),)), ("labels", labels, (len(ops),)),
            ("data", data, (len(ops), layout.steps * layout.channels)),
        ):  # fmt: skip
            if array.shape != shape or array.dtype != np.uint8:
                raise DataError(
                    f"records: {name} of shape {array.shape}, {array.dtype}, but the model takes {shape}, uint8"
                )
        for op in ops[(ops != TRAIN) & (ops != TEST)]:
            raise DataError(f"records: operation {op}; there are {TRAIN} (train) and {TEST} (test)")
        for y in labels[(labels >= classes) & ((ops == TRAIN) | (labels != UNKNOWN))]:
            raise DataError(f"records: class {y}; the model has classes 0 to {classes - 1}")
        if data.size and not data.min():
            raise DataError("records: an activation of byte 0; they are stored as 1 to 255")


class _Trainer(Protocol):
    """What the simulator needs from an engine; see :class:`~tpsgd_host.native.binding.NativeTrainer`."""

    applied: int

    @property
    def seen(self) -> int: ...
    def begin(self, total: int) -> None: ...
    def run(self, ops: Bytes, labels: Bytes, data: Bytes) -> Bytes: ...
    def weights(self) -> bytes: ...
    def load(self, weights: tuple[Weights, ...]) -> None: ...


class _DeviceTrainer:
    """The device's own code, run by CPython on one of its engines."""

    def __init__(self, model: Model, number: int) -> None:
        file = io.BytesIO(model.to_bytes())
        device = DeviceModel(file)
        self._network: Any = build(file, device, runtime.engine(number))
        answering: Any = Answer(device, self._network, file) if model.prototypes else self._network
        self._test = answering.test
        self.applied = 0

    @property
    def seen(self) -> int:
        """Training samples applied since :meth:`begin`."""
        return int(self._network.seen)

    def begin(self, total: int) -> None:
        """Begin a run of ``total`` training samples from the present weights."""
        self.applied = 0
        self._network.begin(total)

    def run(self, ops: Bytes, labels: Bytes, data: Bytes) -> Bytes:
        """Apply R records; return their results, (R, 2)."""
        network, sample = self._network, memoryview(self._network.sample)[: data.shape[1]]
        results = []
        for op, y, row in zip(ops.tolist(), labels.tolist(), data, strict=True):
            sample[:] = row.data
            results.append(self._test(y) if op == TEST else network.train(y))
            self.applied += 1
        return np.array(results, ">u2").view(np.uint8).reshape(-1, 2)

    def weights(self) -> bytes:
        """Return the present weight bytes of all layers, as stored."""
        return b"".join(self._network.weights())

    def load(self, weights: tuple[Weights, ...]) -> None:
        """Replace the weights."""
        for mine, theirs in zip(self._network.weights(), weights, strict=True):
            mine[:] = stored(theirs)


def _trainer(model: Model, engine: Engine) -> tuple[str, _Trainer]:
    """Return the name of the chosen engine, and its trainer."""
    if engine not in get_args(Engine):
        raise ValueError(f"engine {engine!r}: one of {', '.join(get_args(Engine))}")
    lib = library() if engine in ("auto", "c") else None
    if lib is not None:
        return "c", NativeTrainer(model, lib)
    if engine == "c":
        raise DependencyError(
            "There is no compiled trainer: no C compiler was found when tpsgd was installed.",
            "install a C compiler, then tpsgd again; or use the engine np, which gives the same bits more slowly",
        )
    name = "np" if engine == "auto" else engine
    numbers = {name: number for number, name in runtime.ENGINES.items()}
    return name, _DeviceTrainer(model, numbers[name])

"""Classify samples with a board or a model file.

Shapes: S samples.
"""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd_host.boards.connect import connect
from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.layout import layout_of
from tpsgd_host.data.load import load_encoded
from tpsgd_host.data.overheard import Overheard, overhear
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.samples import UNKNOWN
from tpsgd_host.files import writing_text
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.runs.events import SampleResult
from tpsgd_host.runs.metrics import Metrics, recall
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.training.executor import RecordExecutor, checked
from tpsgd_host.training.simulator import Simulator


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A network's predictions for samples.

    Attributes
    ----------
    samples : Samples
    model : Model
    predicted, probability : ndarray of uint8, shape (S,)
        The most likely class, and its probability in 127ths.
    metrics : Metrics
        Figures for the samples that have a label.
    """

    samples: EncodedSamples
    model: Model
    predicted: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.uint8]
    metrics: Metrics

    def __repr__(self) -> str:
        tally = self.metrics.test
        right = f", {tally.accuracy:.1%} of {tally.count} labelled ones right" if tally.count else ""
        return f"<Evaluation {len(self.samples)} samples by {self.model.name}{right}>"

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        tally, confusion = self.metrics.test, self.metrics.confusion
        names = self.model.classes
        return {
            "samples": len(self.samples), "labelled": tally.count, "accuracy": tally.accuracy, "loss": tally.loss,
            "classes": list(names), "confusion": confusion.tolist(),
            "recall": [None if np.isnan(r) else float(r) for r in recall(confusion)],
            "bad_rows": len(self.samples.bad_rows), "weights_crc_hex": f"{self.model.weights_crc:08x}",
        }  # fmt: skip

    def write_predictions(self, path: Path) -> None:
        """Write a CSV: line of the data file, recording, label, prediction and its probability."""
        names, labels = self.model.classes, self.samples.labels.tolist()
        with writing_text(path) as file:
            writer = csv.writer(file)
            writer.writerow(["line", "recording", "label", "predicted", "probability"])
            for line, group, label, predicted, probability in zip(
                self.samples.lines.tolist(), self.samples.groups, labels, self.predicted.tolist(),
                self.probability.tolist(), strict=True,
            ):  # fmt: skip
                name = "" if label == UNKNOWN else names[label]
                writer.writerow([line, group, name, names[predicted], f"{probability / 127:.3f}"])


def evaluate(
    data: Path,
    *,
    model_path: Path | None = None,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    names: tuple[str | None, str | None, str | None] = (None, None, None),
    bad_rows: BadRows = "stop",
) -> Evaluation:
    """Classify the samples of a file, without learning.

    Where the model has a class none, samples whose label is no class of it are of this one.

    Parameters
    ----------
    model_path : Path, optional
        Classify on the host with this model; by default the board does, with its present weights.
    """
    with ExitStack() as stack:
        executor: RecordExecutor
        if model_path:
            model = load_model(model_path)
            executor = Simulator(model)
        else:
            board = stack.enter_context(connect(port, folder=folder, heap=heap, baud=baud))
            executor, model = board, board.pull()
        none = None if model.prototypes is None else model.prototypes.none
        samples = load_encoded(
            data, layout_of(model.layout, *names), model.scaling, model.classes, bad_rows, False, other=none
        )
        results = _classify(executor, model, samples)
        # For a labelled sample the result has the label's probability, so wrong predictions are classified again.
        wrong = np.flatnonzero((samples.labels != UNKNOWN) & (results[:, 0] != samples.labels))
        probability = results[:, 1].copy()
        if len(wrong):
            unknown = np.full(len(wrong), UNKNOWN, np.uint8)
            probability[wrong] = _classify(executor, model, replace(samples.take(wrong), labels=unknown))[:, 1]
    metrics = Metrics()
    metrics.classes = model.classes
    for i, (predicted, p_y) in enumerate(results.tolist()):
        label = int(samples.labels[i])
        metrics.handle(SampleResult(i, 1, "test", label, predicted, p_y, int(samples.lines[i])))
    metrics.handle(metrics.epoch_ended(0.0))
    return Evaluation(samples, model, results[:, 0], probability, metrics)


@dataclass(frozen=True, repr=False)
class StreamEvaluation:
    """What a network made of hours in which nothing should be accepted.

    Attributes
    ----------
    model : Model
    heard : Overheard
        Words, gestures or windows that the front end found.
    predicted, probability : ndarray of uint8, shape (W,)
        The answers, and their probabilities in 127ths.
    """

    model: Model
    heard: Overheard
    predicted: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.uint8]

    def __repr__(self) -> str:
        return f"<StreamEvaluation of {self.hours:.2f} h by {self.model.name}: {self.an_hour:.1f} accepted an hour>"

    @property
    def hours(self) -> float:
        """How long it was."""
        return self.heard.seconds / 3600

    @property
    def accepted(self) -> dict[str, int]:
        """How often each class was answered, none left out."""
        known = self.model.prototypes
        counts = np.bincount(self.predicted, minlength=len(self.model.classes)).tolist()
        none = None if known is None else known.none
        return {name: n for y, (name, n) in enumerate(zip(self.model.classes, counts, strict=True)) if y != none}

    @property
    def an_hour(self) -> float:
        """How many were accepted in an hour."""
        return sum(self.accepted.values()) / self.hours if self.hours else 0.0

    @property
    def refuses(self) -> bool:
        """Whether the model can say that it is not sure."""
        return self.model.prototypes is not None and self.model.prototypes.none is not None

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return {
            "hours": self.hours, "heard": len(self.heard), "accepted": self.accepted,
            "accepted_an_hour": self.an_hour, "refuses": self.refuses,
        }  # fmt: skip

    def write_predictions(self, path: Path) -> None:
        """Write a CSV: second, answer and its probability of each that was heard."""
        with writing_text(path) as file:
            writer = csv.writer(file)
            writer.writerow(["second", "predicted", "probability"])
            for at, y, p in zip(
                self.heard.at.tolist(), self.predicted.tolist(), self.probability.tolist(), strict=True
            ):
                writer.writerow([f"{at:.2f}", self.model.classes[y], f"{p / 127:.3f}"])


def evaluate_stream(
    data: Path,
    *,
    model_path: Path | None = None,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
) -> StreamEvaluation:
    """Count what a network accepts in a stream; parameters as for :func:`evaluate`.

    The host finds the words, gestures or windows as a board does; the network is the board's or the file's.
    """
    with ExitStack() as stack:
        executor: RecordExecutor
        if model_path:
            model = load_model(model_path)
            executor = Simulator(model)
        else:
            board = stack.enter_context(connect(port, folder=folder, heap=heap, baud=baud))
            executor, model = board, board.pull()
        heard = overhear(data, model.layout, model.scaling)
        count = len(heard)
        names = tuple(f"{at:.2f} s" for at in heard.at.tolist())
        samples = EncodedSamples(
            heard.samples, np.arange(count, dtype=np.uint32), np.full(count, UNKNOWN, np.uint8), model.classes, names,
            np.arange(1, count + 1), (), str(data),
        )  # fmt: skip
        results = _classify(executor, model, samples) if count else np.empty((0, 2), np.uint8)
    return StreamEvaluation(model, heard, results[:, 0], results[:, 1])


def _classify(executor: RecordExecutor, model: Model, samples: EncodedSamples) -> npt.NDArray[np.uint8]:
    """Return predicted class and p_y, shape (S, 2); y is the label, or the prediction if there is none."""
    executor.begin(0, RunRecords(model, Presentation(samples, samples, 0, 0)), fresh=False)
    results = np.concatenate([np.empty((0, 2), np.uint8), *executor.apply(0, len(samples))])
    return checked(results, len(model.classes))

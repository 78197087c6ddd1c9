"""What ``stream`` and ``simulate`` share: from data to a run folder, whatever trains."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_encoded
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.samples import BadRow
from tpsgd_host.data.split import rows_alone_note, split
from tpsgd_host.data.subjects import LeaveOut, leave_out, without_column
from tpsgd_host.errors import ConfigError, DataError, MismatchError, TpsgdError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.events import BoardText, Event, Note, RunEnded, to_dict
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.runs.sinks import Sink
from tpsgd_host.training.executor import Executor, Outcome

#: Matplotlib draws one picture at a time: runs may end in several threads.
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class RunPlan:
    """The options of a run.

    Attributes
    ----------
    data : Path
        Samples to train on.
    test : Path or None
        Held-out samples.
    test_split : float or None
        Share of ``data`` to hold out, in place of ``test``.
    leave_out : LeaveOut or None
        Subjects in ``data`` whose samples to hold out, in place of ``test``.
    layout : Layout or None
        How to read the files; by default as the model says.
    variation : {"none", "words", "motion"} or None
        How training samples are varied; by default as the model says.
    """

    data: Path
    epochs: int = 10
    test: Path | None = None
    test_split: float | None = None
    split_seed: int = 1
    test_every: int = 1
    shuffle_seed: int = 1
    root: Path = Path("runs")
    name: str | None = None
    bad_rows: BadRows = "stop"
    layout: Layout | None = None
    leave_out: LeaveOut | None = None
    variation: str | None = None

    def __post_init__(self) -> None:
        given = {"--test": self.test, "--test-split": self.test_split, "--leave-out": self.leave_out}
        named = [option for option, value in given.items() if value is not None]
        if len(named) > 1:
            raise ConfigError(f"{' and '.join(named)} both choose held-out samples", "Use only one of them.")

    def reading(self, layout: Layout) -> RunPlan:
        """Return this plan with ``layout`` as the way to read files."""
        return replace(self, layout=layout)


@dataclass(frozen=True, repr=False)
class RunReport:
    """How a run ended.

    Attributes
    ----------
    folder : Path
        The run's folder.
    ended : RunEnded
    outcome : Outcome
    model : Model
        The trained model.
    """

    folder: Path
    ended: RunEnded
    outcome: Outcome
    model: Model
    skipped: int = field(default=0)

    def __repr__(self) -> str:
        tested = self.ended.test_accuracy
        held_out = "" if tested is None else f", held out {tested:.1%}"
        return f"<RunReport {self.folder}: {self.model.shape}{held_out}, weights' CRC {self.outcome.weights_crc:08x}>"

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        values = dict(to_dict(self.ended))
        del values["event"]
        return {
            **values, "folder": str(self.folder), "weights_crc_hex": f"{self.outcome.weights_crc:08x}",
            "classes": list(self.model.classes), "bad_rows": self.skipped,
        }  # fmt: skip


def load_presentation(plan: RunPlan, model: Model) -> Presentation:
    """Read the data files of a run as its model needs them."""
    layout, left_out = plan.layout or model.layout, plan.leave_out
    if left_out is not None:
        layout = without_column(plan.data, left_out.column, layout)
    samples = load_encoded(plan.data, layout, model.scaling, model.classes, plan.bad_rows)
    test: EncodedSamples | None = None
    if plan.test is not None:
        test = load_encoded(plan.test, layout, model.scaling, model.classes, plan.bad_rows)
    elif plan.test_split is not None:
        train, test = split(samples, plan.test_split, plan.split_seed)
        samples = replace(train, bad_rows=samples.bad_rows)
    elif left_out is not None:
        samples, test = leave_out(samples, plan.data, left_out.column, left_out.names, layout.group)
    variation = model.variation if plan.variation is None else plan.variation
    if variation != "none" and model.layout.steps == 1:
        raise ConfigError(
            f"a sample of {model.name} has one step: variation {variation} is for time series", "Use --variation none."
        )
    return Presentation(samples, test, plan.epochs, plan.shuffle_seed, plan.test_every, variation)


class TextRelay:
    """Collects a board's output, even before the run begins, and passes it to the run's sinks."""

    def __init__(self) -> None:
        self._waiting: list[Event] = []
        self._sinks: list[Sink] = []

    def __call__(self, line: str) -> None:
        """Add a line that the board printed."""
        self._handle(BoardText(line))

    def note(self, text: str) -> None:
        """Add a note from the host."""
        self._handle(Note(text))

    def _handle(self, event: Event) -> None:
        if not self._sinks:
            self._waiting.append(event)
        for sink in self._sinks:
            sink.handle(event)

    def attach(self, sinks: list[Sink]) -> None:
        """Pass everything to ``sinks`` from now on, beginning with what has waited."""
        self._sinks = sinks
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._handle(event)


def begin_folder(
    plan: RunPlan, records: RunRecords, config: dict[str, object], start: Model | None = None
) -> tuple[RunFolder, dict[str, object]]:
    """Create the folder of a new run; return it, and the run's configuration as far as it is known.

    Parameters
    ----------
    config : dict
        What else to note in the run's configuration.
    start : Model, optional
        The model with the initial weights of the run, if these are not the model's own.
    """
    folder = RunFolder.create(plan.root, plan.name or records.model.name)
    folder.write_start((start or records.model).to_bytes())
    return folder, {
        "data": str(plan.data), "test": str(plan.test) if plan.test else None, "test_split": plan.test_split,
        "leave_out": None if plan.leave_out is None else [plan.leave_out.column, *plan.leave_out.names],
        "split_seed": plan.split_seed, "bad_rows": len(_bad_rows(records.presentation)), **config,
    }  # fmt: skip


def new_run_id() -> int:
    """Return a number that identifies a run on a board."""
    return 1 + secrets.randbelow(0xFFFFFFFF)


def run(
    executor: Executor,
    records: RunRecords,
    folder: RunFolder,
    view: Sink,
    run_id: int,
    *,
    fresh: bool = True,
    config: dict[str, object] | None = None,
    text: TextRelay | None = None,
    past: Metrics | None = None,
    notes: Sequence[str] = (),
) -> RunReport:
    """Carry out a run, and save all of it in a folder.

    Parameters
    ----------
    executor : Executor
        A board or a simulator with the model of ``records``.
    view : Sink
        Shows the run.
    fresh : bool
        Whether to begin with the model's own weights.
    config : dict, optional
        What :func:`begin_folder` returned for a new run.
    text : TextRelay, optional
        Collects the board's output.
    past : Metrics, optional
        The figures of a run to continue.
    notes : sequence of str
        Notes for the user before the run.

    Raises
    ------
    MismatchError
        When the weights that were read are not those at the end of the run.
    """
    sinks: list[Sink] = [folder, view]
    if text is not None:
        text.attach(sinks)
    trained: list[Model] = []

    def keep(outcome: Outcome) -> None:
        model = records.model.with_weights(executor.weights())
        if model.weights_crc != outcome.weights_crc:
            raise MismatchError(
                f"the received weights have CRC {model.weights_crc:08x}, the run ended with {outcome.weights_crc:08x}",
                f"read them again with: tpsgd-host stream --resume {folder.path}",
            )
        folder.write_model(model.to_bytes())
        trained.append(model)

    with illustrated(folder, view):
        try:
            ended, outcome = drive(
                executor, records, sinks, run_id, fresh=fresh, config=config, notes=notes, past=past, keep=keep
            )
        except DataError as error:
            if trained:
                error.hint = f"The run is over; the trained model is in {folder.path}. {error.hint}"
            raise
    return RunReport(folder.path, ended, outcome, trained[0], len(_bad_rows(records.presentation)))


@contextmanager
def illustrated(folder: RunFolder, view: Sink) -> Iterator[None]:
    """Draw the run's accuracy, however the run ends; it comes last, so that a failure affects nothing else."""
    try:
        yield
    finally:
        if folder.has_results:
            from tpsgd_host.runs.view.plots import (
                plot_accuracy,
            )  # matplotlib is slow to import, and the run is over by now

            try:
                with _DRAWING:
                    plot_accuracy([folder], folder.path / "accuracy.png")
            except (TpsgdError, OSError) as error:
                view.handle(Note(f"no picture of the accuracy: {error}"))


def _bad_rows(presentation: Presentation) -> tuple[BadRow, ...]:
    return presentation.train.bad_rows + (presentation.test.bad_rows if presentation.test else ())


def data_notes(plan: RunPlan, presentation: Presentation) -> list[str]:
    """Return notes about the data: rows left out, and a split that may divide recordings."""
    note = rows_alone_note(plan.layout) if plan.test_split is not None and plan.layout is not None else ""
    return [*_bad_row_notes(presentation), *([note] if note else [])]


def _bad_row_notes(presentation: Presentation) -> list[str]:
    """Return a note on the rows that were left out, with the lines of the first few."""
    skipped = _bad_rows(presentation)
    if not skipped:
        return []
    shown = "; ".join(f"line {row.line}: {row.reason}" for row in skipped[:3])
    return [f"{len(skipped)} bad rows were left out ({shown}{'; ...' if len(skipped) > 3 else ''})"]

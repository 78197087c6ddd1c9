"""Start a model: write the TOML for a data file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tpsgd_host.data.labels import class_names
from tpsgd_host.data.layout import USUAL, Layout, Windows
from tpsgd_host.data.npz import describe_npz
from tpsgd_host.data.records import TABLES
from tpsgd_host.data.summary import TableSummary, summarize
from tpsgd_host.data.wav import find_recordings, is_sound
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.files import write_atomic
from tpsgd_host.model.config import READOUT_STEPS, SHIFTS
from tpsgd_host.model.front import motion_front, sound_front
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.model.target import Target, retarget
from tpsgd_host.model.template import Draft, Network, render, segments, taps
from tpsgd_host.model.varying import usual_variation
from tpsgd_host.names import file_name, listing

WORD_STEPS = 20
FULL_MOTION = 2.0  # g that fill the range of a motion sensor, where no data say more
STEPS = 16  # per recording, by default
HIDDEN = {"mlp": (32, 16), "tdnn": (32,), "rnn": (32,), "cnn": (8, 16)}
CNN_SHIFTS = (8, 9, 10)  # of the output layer, which has more inputs than in other networks
KERNEL = 3

#: Why a network makes no sense for samples of one step, for an error message.
SEVERAL_STEPS = {
    "tdnn": "a TDNN needs more than one step",
    "rnn": "an RNN needs more than one step",
    "cnn": "a CNN needs images, whose rows are the steps",
}

#: Why a network was chosen, and the alternatives.
REASONS = {
    "tdnn": "a TDNN, filters over a few steps: each sample is a time series, for which it was as accurate as an RNN of"
    " the same memory or better, in less time (docs/ACCURACY.md); tpsgd-host compare --networks measures both on your"
    " data, --network rnn, mlp or cnn makes another",
    "mlp": "an MLP: each row is a whole sample; --network cnn reads rows of --steps as images, tdnn and rnn as series",
}

EXAMPLE = ("x", "y", "z")  # columns, where there are no data


@dataclass(frozen=True)
class NewModel:
    """The file that was written.

    Attributes
    ----------
    next : str
        The next command to run.
    why : str
        Why this network was chosen; empty where the user chose it.
    found : TableSummary, optional
        What the data seem to hold; None without data.
    """

    path: Path
    next: str
    why: str
    found: TableSummary | None = None


def new_model(
    name: str,
    out: Path | None = None,
    network: Network | None = None,
    data: Path | None = None,
    hidden: tuple[int, ...] = (),
    steps: int | None = None,
    seed: int = 1,
    window: int = 0,
    hop: int = 0,
    label: str = "",
    group: str = "",
    columns: tuple[str, ...] = (),
    target: Target = "feedback",
    force: bool = False,
    motion: bool = False,
    sound: bool = False,
    named: tuple[str, ...] = (),
    shifts: tuple[int, ...] = (),
) -> NewModel:
    """Write the commented TOML of a new model.

    Parameters
    ----------
    name : str
        Name of the model, and of the file unless ``out`` names one.
    out : Path, optional
    network : {"tdnn", "rnn", "mlp", "cnn"}, optional
        A TDNN begins with a temporal layer, an RNN with a recurrent one. A CNN convolves along the steps; where each
        row of the data is a sample of several steps, these are the rows of an image. By default a TDNN where each row
        is a reading, else an MLP.
    data : Path, optional
        A table from which to take columns, classes, label and group, ``.npz`` arrays, or a folder of WAV
        files, whose model hears.
    hidden : tuple of int
        Units of the hidden layers; if empty, the network's defaults.
    steps : int, optional
        T.
    seed : int
    window, hop : int
        Readings in a window, and from the start of one window to the next.
    label, group : str
        Columns of the class and the recording; empty to guess.
    columns : tuple of str
        Columns of the values; if empty, the numeric columns that serve no other purpose.
    target : {"feedback", "label"}
        What hidden layers learn from.
    motion : bool
        Whether the model finds gestures by itself, in a stream of a sensor's readings.
    sound : bool
        Whether the model hears; where ``data`` are WAV files it does.
    named : tuple of str
        The classes, where the data are not to name them.
    shifts : tuple of int
        Update shifts; if empty, the network's defaults.
    force : bool
        Whether to replace an existing file.

    Raises
    ------
    ConfigError
        When the file exists, or the options contradict each other or the data.
    DataError
        When the data cannot be read or have no label column, or the file cannot be written.
    """
    path = out or Path(f"{file_name(name, 'model')}.toml")
    if path.exists() and not force:
        raise ConfigError(f"{path} already exists", "Choose another file with -o, or replace it with --force.")
    if hop and not window:
        raise ConfigError(f"--hop {hop} needs a window", "Add --window.")
    summary = None
    if sound and motion:
        raise ConfigError("--sound and --motion are two models", "Name one of them.")
    if data is not None and is_sound(data):
        layout, classes = _sound(data, steps, group)
    elif sound:
        layout, classes = _hearing(data, steps, group), ()
    elif data is not None and data.suffix.lower() == ".npz":
        layout, classes = _arrays(data, steps, bool(label or group or columns or window))
    else:
        summary = _summary(data, label, group, columns) if data else None
        layout, classes = _layout(summary, network, steps, window, hop, label, group)
    if motion:
        layout = _moving(layout, summary)
    if named:
        _check_classes(named, data)
        classes = named
    series = layout.steps > 1 and (layout.windows == "recording" or layout.hears)
    why = ""
    if network == "tdnn" and target == "label":
        raise ConfigError(
            "a TDNN's temporal layer always learns from feedback: it has no label targets", "Use --network rnn or mlp."
        )
    if network is None and target == "label" and series:
        network, why = "rnn", "an RNN: each sample is a time series, and a TDNN has no label targets"
    if network is None:
        network = "tdnn" if series else "mlp"
        why = REASONS[network]
    units = hidden or HIDDEN[network]
    draft = Draft(
        name=name,
        seed=seed,
        layout=layout,
        classes=classes,
        network=network,
        hidden=units,
        shifts=shifts or (CNN_SHIFTS if network == "cnn" else SHIFTS),
        readout_steps=min(READOUT_STEPS, layout.steps),
        file=shlex.quote(str(path)),
        data=shlex.quote(str(data)) if data else "RECORDINGS.csv",
        kernels=_kernels(layout, len(units)) if network == "cnn" else (),
        taps=taps(layout),
        segments=segments(layout),
        variation=usual_variation(layout),
    )
    text = render(draft) if target == "feedback" else retarget(render(draft), target)
    parse_config(text, str(path))  # write nothing that could not be read back
    write_atomic(path, text.encode())
    return NewModel(path, f"tpsgd-host quantize {draft.file} --data {draft.data}", why, summary)


def _sound(data: Path, steps: int | None, pattern: str) -> tuple[Layout, tuple[str, ...]]:
    """Return the layout and the classes of a folder of WAV files."""
    classes = class_names([recording.label for recording in find_recordings(data, pattern)], str(data))
    _check_classes(classes, data)
    front = sound_front()
    return Layout(steps or WORD_STEPS, front.channels, group=pattern, front=front), classes


def _hearing(data: Path | None, steps: int | None, pattern: str) -> Layout:
    """Return the layout of a model that hears, for which there are no recordings."""
    if data is not None:
        raise ConfigError(f"{data} is no sound", "Leave out --data or --sound, or name a folder of WAV files.")
    front = sound_front()
    return Layout(steps or WORD_STEPS, front.channels, group=pattern, front=front)


def _moving(layout: Layout, summary: TableSummary | None) -> Layout:
    """Return a layout of recordings with a front end for a motion sensor."""
    if layout.windows != "recording" or layout.window or layout.hears:
        raise ConfigError(
            "--motion is for recordings of gestures: a row is a reading, a column names the recording",
            "Name that column with --group, and leave --window out.",
        )
    if summary is None:
        front = motion_front([2 * FULL_MOTION] * layout.channels, False, layout.rate)
    else:
        ends = [summary.ranges[name] for name in layout.columns]
        largest = [max(abs(low), abs(high)) for low, high in ends]
        whole = max(largest) >= 1000 and all(float(end).is_integer() for pair in ends for end in pair)
        front = motion_front(largest, whole, layout.rate)
    return replace(layout, rate=float(front.rate), front=front)


def _arrays(data: Path, steps: int | None, named: bool) -> tuple[Layout, tuple[str, ...]]:
    """Return layout and classes of samples stored as arrays; ``named``: whether options name columns or windows."""
    if named:
        raise ConfigError(
            f"{data} holds samples as arrays, which have no columns and are already cut",
            "Leave out --label, --group, --columns and --window.",
        )
    shape, classes = describe_npz(data)
    _check_classes(classes, data)
    count, (rows, values) = len(shape), ((1, shape[1]) if len(shape) == 2 else shape[1:])
    if count == 3 and steps not in (None, rows):
        raise ConfigError(f"--steps is {steps}, but the samples in {data} have {rows}", "Leave out --steps.")
    if count == 2 and values % (steps or 1):
        raise ConfigError(
            f"{values} values cannot be divided into {steps} steps", "Each row must hold all channels of all steps."
        )
    windows: Windows = "row" if count == 2 else "recording"
    steps = steps or rows
    channels = values // steps if count == 2 else values
    return Layout(steps, channels, windows, USUAL[windows]), classes


def _check_classes(classes: Sequence[str], data: Path | None) -> None:
    if len(classes) < 2:
        raise DataError(
            f"{data} holds {f'one class, {classes[0]!r}' if classes else 'no class'}; a model needs 2 to 255",
            "Record more than one class, or name the column of the class with --label.",
        )


def _summary(data: Path, label: str, group: str, columns: tuple[str, ...]) -> TableSummary:
    if data.suffix.lower() not in TABLES:
        raise ConfigError(
            f"--data reads tables ({', '.join(TABLES)}) and .npz, not {data.name}",
            "Leave out --data, then set channels, steps and windows in the new file.",
        )
    summary = summarize(data, label, group, columns)
    if not summary.label:
        raise DataError(
            f"{data} has no column that looks like a label", f"Name it with --label: {listing(summary.columns)}."
        )
    _check_classes(tuple(summary.label_counts), data)
    return summary


def _layout(
    summary: TableSummary | None,
    network: Network | None,
    steps: int | None,
    window: int,
    hop: int,
    label: str,
    group: str,
) -> tuple[Layout, tuple[str, ...]]:
    """Return the layout and classes that follow from options and data."""
    if summary is None:
        return Layout(steps or STEPS, len(EXAMPLE), "recording", USUAL["recording"], window, hop).named(
            label or "label", group or "recording", EXAMPLE
        ), ()
    group, columns = summary.group, summary.value_columns
    if not columns:
        raise DataError(
            "the data have no column of numbers other than label and group", "Check the delimiter and --label."
        )
    windows: Windows = "recording" if group or window else "row"
    if windows == "row":
        steps = steps or 1
        if len(columns) % steps:
            message = f"{len(columns)} columns cannot be divided into {steps} steps"
            raise ConfigError(message, "Each row must hold all channels of all steps.")
        if network in SEVERAL_STEPS and steps == 1:
            divisors = [str(n) for n in range(2, len(columns) + 1) if len(columns) % n == 0]
            raise ConfigError(
                f"{SEVERAL_STEPS[network]}, but each row of these data is a sample",
                f"Give the number of steps in a row, --steps {listing(divisors)}; or, where each row is a reading, "
                "name the column of the recording with --group, or cut windows with --window.",
            )
    steps = steps or STEPS
    channels = len(columns) // steps if windows == "row" else len(columns)
    layout = Layout(steps, channels, windows, USUAL[windows], window, hop, summary.rate, summary.label, group, columns)
    return layout, class_names(list(summary.label_counts), "the data")


def _kernels(layout: Layout, count: int) -> tuple[tuple[int | list[int], int], ...]:
    """Return kernel and pooling of ``count`` conv layers, each as large as the map that it reads allows."""
    image = layout.windows == "row"
    rows, columns = layout.steps, layout.channels if image else 1
    found: list[tuple[int | list[int], int]] = []
    for _ in range(count):
        high, wide = min(KERNEL, rows), min(KERNEL, columns)
        rows, columns = rows - high + 1, columns - wide + 1
        pool = 2 if rows > 1 and (columns > 1 or not image) else 1
        found.append(([high, wide] if image else high, pool))
        rows, columns = rows // pool, max(1, columns // pool)
    return tuple(found)

"""The TOML that ``tpsgd-host new`` writes: every key, its unit and range, and why to change it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tpsgd.format import MAX_SEGMENT_STEPS
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import SIGMAS
from tpsgd_host.model.chain import MAX_INPUTS
from tpsgd_host.model.config import SEGMENTS, TAPS
from tpsgd_host.model.front import render_front

Network: TypeAlias = Literal["tdnn", "rnn", "mlp", "cnn"]

_HEAD = """\
# {name}: a neural network that learns on a microcontroller.
# Edit anything below; text after # is a remark. Next, with some labelled recordings in a CSV:
#   tpsgd-host quantize {file} --data {data}

[model]
name = {name_text}
seed = {seed}  # 1..4294967295: determines the initial weights and all else that is random
{classes}
[data]
"""

_CLASSES = "classes = {classes}  # what to recognize, 2..255 names; their order gives their numbers\n"
_NO_CLASSES = '# classes = ["rest", "wave", "tap"]  # what to recognize; if left out, all labels in the data\n'

_NAMES = """\
label = {label}  # column with the class of each row
group = {group}  # column that tells recordings apart, "" for none; training and test never share one
{columns}
"""

_ROW = """\
windows = "row"  # each row is one sample; "recording": each row is a reading, and a run of rows is a sample
steps = {steps}  # T: a row holds the channels of step 1, then those of step 2 and so on; 1 without time
"""

_RECORDING = """\
windows = "recording"  # each row is a reading, many make a recording; "row": each row is a sample
steps = {steps}  # T, 1..4096: each recording or window is resampled to this many; more is finer, slower, larger
window = {window}  # readings in a window; 0: each recording is a sample, of any length
{hop}resample = {resample}  # "mean": the average of the readings of a step; "linear": single ones, or between two
rate = {rate}  # readings per second (Hz), a note for programs that read the sensor; 0: unknown
"""

_HOP = "hop = {hop}  # readings between the starts of two windows; 0: window after window, smaller: they overlap\n"
_NO_HOP = "# hop = 0  # readings between the starts of two windows, where there is a window; 0: window after window\n"

_SOUND = """\
label = {label}  # column that holds the class, in a table of samples; of WAV files their names and folders say it
# "": a folder for each label, or names that begin with it, as yes_1.wav; or a pattern, "{{label}}_{{speaker}}_{{take}}"
group = {group}
steps = {steps}  # T: each word, long or short, becomes so many steps
"""

_GESTURES = """\
steps = {steps}  # T: each gesture, long or short, becomes so many steps
"""

_SCALE = """\
scale = "std"  # readings to -127..127: "std": mean and spread; "minmax": the extremes; "fixed": offset and gain
per_channel = true  # an offset and a gain for each channel; false: one pair, where channels are alike (pixels, audio)
sigmas = {sigmas}  # with "std": this many standard deviations fill the range, the rest is clamped
"""

_TRAINING = """\

[training]
shifts = {shifts}  # learning rate 2**-shift for each phase of training, 1..15: adding 1 halves it; 0: no learning
total = 0  # training samples that the phases divide; 0: those of the run
# misses = 5  # percent of your samples that may be refused; then quantize trains, and the model says "none" to others
"""

_VARIATION = """\
variation = {variation}  # each sample is varied before it is learned, as "words" or "motion" vary; "none": it is not
"""

_RECURRENT_RULE = """\
readout_steps = {readout_steps}  # K, 1..16: the next layer sees the state at K moments, spread evenly over the sample
# update_at = "readout"  # with target = "label": steps that train the recurrent layer: "last", "random" or "every"
"""

_RECURRENT = """\

[[layer]]  # reads the sample step by step and remembers
kind = "recurrent"
units = {units}  # 1..1024: more tell finer patterns apart; memory grows with units*(units + channels)
leak = 2  # 0..7: the state moves by 1/2**leak of the way at each step; higher remembers longer
shifts = {shifts}  # learns more slowly than the output layer
shift = 5  # forward shift S, 0..15: a weight of 1.0 is 2**S of 127; lower allows larger weights, higher finer ones
target = "feedback"  # learns from the error of the next layer; "label": targets of its own, nothing is sent back
# amplitude = 80  # with target = "label", 1..127: how far from 0 the targets lie
# loss = "l2"  # with target = "label": "l2", the farther the stronger the push; "l1", always the same: l1 = 1..127
frozen = false  # true: keeps its initial weights, one byte instead of two each; compare to see what training adds
init = 1.0  # initial range of the weights; 1.0 keeps the spread of the values from layer to layer
"""

_TEMPORAL = """\

[[layer]]  # filters that look at a few steps at a time; each hands on its largest activation in each segment
kind = "temporal"
units = {units}  # filters, 1..1024: more tell finer patterns apart; memory grows with units*(kernel*channels + ...)
kernel = {kernel}  # steps that a filter sees: the present one and those before it; longer patterns need more
segments = {segments}  # K, 1..16: parts of equal length that the sample is cut into; 1: it does not matter when
shifts = {shifts}  # learns more slowly than the output layer
shift = 5  # forward shift S, 0..15: a weight of 1.0 is 2**S of 127; lower allows larger weights, higher finer ones
frozen = false  # true: keeps its initial weights, one byte instead of two each; compare to see what training adds
init = 1.0  # initial range of the weights; 1.0 keeps the spread of the values from layer to layer
"""

_CONV = """\

[[layer]]  # filters that look at one patch after the other and hand on where they saw what they look for
kind = "conv"
units = {units}  # filters, 1..1024; the memory of the next layer's weights grows with it
kernel = {kernel}  # {kernel_says}
{depth}stride = 1  # from patch to patch; 2 takes a quarter of the time (half of it along steps alone)
padding = "none"  # "same": zeros around, so that there are as many places as values; for deep networks
pool = {pool}  # the largest of so many neighbouring places in each direction is handed on; 1: all are
shifts = {shifts}  # learns more slowly than the output layer
shift = 5  # forward shift S, 0..15: a weight of 1.0 is 2**S of 127; lower allows larger weights, higher finer ones
target = "feedback"  # learns from the error of the next layer; "label": targets of its own, nothing is sent back
# amplitude = 127  # with target = "label", 1..127: how far from 0 the targets lie
# regions = 3  # with target = "label", 1..15 each way: in each region a filter learns where it is strongest
# loss = "l1"  # with target = "label": "l1", each push has the strength l1 = 1..127; "l2", the farther the stronger
frozen = false  # true: keeps its initial weights, one byte instead of two each; compare to see what training adds
init = 1.0  # initial range of the weights; 1.0 keeps the spread of the values from layer to layer
"""

_STEPS_KERNEL = "steps of a patch, all channels of each; [3, 3] where the steps are the rows of an image"
_IMAGE_KERNEL = "rows and columns of a patch; one number where the channels have no order"
_DEPTH = "depth = 1  # values of a pixel: 3 for colours that lie side by side\n"

_DENSE = """\

[[layer]]  # hidden layer
kind = "dense"
units = {units}  # 1..1024: more tell finer patterns apart; memory grows with units*(units before + 1)
shifts = {shifts}  # learns more slowly than the output layer
shift = 5  # forward shift S, 0..15: a weight of 1.0 is 2**S of 127; lower allows larger weights, higher finer ones
target = "feedback"  # learns from the error of the next layer; "label": targets of its own, nothing is sent back
# amplitude = 127  # with target = "label", 1..127: how far from 0 the targets lie
# loss = "l2"  # with target = "label": "l2", the farther the stronger the push; "l1", always the same: l1 = 1..127
frozen = false  # true: keeps its initial weights, one byte instead of two each; compare to see what training adds
init = 1.0  # initial range of the weights; 1.0 keeps the spread of the values from layer to layer
"""

_OUTPUT = """\

[[layer]]  # one unit a class; the largest wins
kind = "output"
shift = 5  # forward shift S, as above
init = 0.0  # begins without an opinion
"""


@dataclass(frozen=True)
class Draft:
    """What goes into the text; ``layout`` as the model will have it.

    Attributes
    ----------
    hidden : tuple of int
        Units of the hidden layers; all are conv layers in a CNN, the first is temporal in a TDNN, recurrent in an RNN.
    network : {"mlp", "tdnn", "rnn", "cnn"}
    kernels : tuple
        Kernel and pooling of each conv layer.
    taps, segments : int
        Steps of a temporal layer's kernel, and its segments.
    variation : {"none", "words", "motion"}
        How samples are varied before they are learned.
    file, data : str
        Names to show in the command that comes next.
    """

    name: str
    seed: int
    layout: Layout
    classes: tuple[str, ...]
    network: str
    hidden: tuple[int, ...]
    shifts: tuple[int, ...]
    readout_steps: int
    file: str
    data: str
    kernels: tuple[tuple[int | list[int], int], ...] = ()
    taps: int = 0
    segments: int = 0
    variation: str = "none"


def taps(layout: Layout) -> int:
    """Return the steps that a filter of a temporal layer sees, where the user does not say."""
    return max(1, min(TAPS, layout.steps, MAX_INPUTS // layout.channels))


def segments(layout: Layout) -> int:
    """Return the segments of a temporal layer where the user does not say."""
    return max(min(SEGMENTS, layout.steps), int(-(-layout.steps // MAX_SEGMENT_STEPS)))


def render(draft: Draft) -> str:
    """Return the commented TOML."""
    layout = draft.layout
    classes = _CLASSES.format(classes=_array(draft.classes)) if draft.classes else _NO_CLASSES
    parts = [
        _HEAD.format(
            name=draft.name,
            name_text=quote(draft.name),
            file=draft.file,
            data=draft.data,
            seed=draft.seed,
            classes=classes,
        ),
    ]
    if not layout.hears:
        parts.append(_NAMES.format(label=quote(layout.label), group=quote(layout.group), columns=_columns(layout)))
    if layout.hears:
        parts.append(_SOUND.format(label=quote(layout.label), group=quote(layout.group), steps=layout.steps))
    elif layout.front is not None:
        parts.append(_GESTURES.format(steps=layout.steps))
    elif layout.windows == "row":
        parts.append(_ROW.format(steps=layout.steps))
    else:
        hop = _HOP.format(hop=layout.hop) if layout.window else _NO_HOP
        parts.append(
            _RECORDING.format(
                steps=layout.steps, resample=quote(layout.resampling), window=layout.window, hop=hop, rate=layout.rate
            )
        )
    parts.append(_SCALE.format(sigmas=SIGMAS) if layout.front is None else render_front(layout.front))
    parts.append(_TRAINING.format(shifts=list(draft.shifts)))
    if layout.steps > 1:
        parts.append(_VARIATION.format(variation=quote(draft.variation)))
    if draft.network == "rnn":
        parts.append(_RECURRENT_RULE.format(readout_steps=draft.readout_steps))
    return "".join([*parts, render_layers(draft)])


def render_layers(draft: Draft) -> str:
    """Return the tables of the layers alone, which end the TOML."""
    parts = []
    for index, units in enumerate(draft.hidden):
        if draft.network == "cnn":
            parts.append(_conv(draft, index, units))
        elif draft.network == "tdnn" and not index:
            shifts = _slower(draft.shifts)
            parts.append(_TEMPORAL.format(units=units, kernel=draft.taps, segments=draft.segments, shifts=shifts))
        else:
            text = _RECURRENT if draft.network == "rnn" and not index else _DENSE
            parts.append(text.format(units=units, shifts=_slower(draft.shifts)))
    return "".join([*parts, _OUTPUT])


def _conv(draft: Draft, index: int, units: int) -> str:
    """Return a conv layer; what was said of the first one needs no second time."""
    kernel, pool = draft.kernels[index]
    image = isinstance(kernel, list)
    return _CONV.format(
        units=units,
        kernel=kernel,
        kernel_says=_IMAGE_KERNEL if image else _STEPS_KERNEL,
        depth=_DEPTH if image and not index else "",
        pool=pool,
        shifts=_slower(draft.shifts),
    )


def _slower(shifts: Sequence[int]) -> list[int]:
    """Return update shifts of half the rate."""
    return [min(15, shift + 1) if shift else 0 for shift in shifts]


def quote(text: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


def _columns(layout: Layout) -> str:
    if not layout.columns:
        channels = f"channels = {layout.channels}  # C: values of a step, 1..1039"
        return f"columns = []  # columns to read; empty: all but label and group, in the file's order\n{channels}"
    if len(_array(layout.columns)) > 80:
        return f"columns = [  # columns to read, in this order\n{_lines(layout.columns)}]"
    return f"columns = {_array(layout.columns)}  # columns to read, in this order"


def _array(names: Sequence[str]) -> str:
    return "[" + ", ".join(quote(name) for name in names) + "]"


def _lines(names: Sequence[str]) -> str:
    """Return names in lines of eight."""
    rows = (names[at : at + 8] for at in range(0, len(names), 8))
    return "".join("  " + " ".join(f"{quote(name)}," for name in row) + "\n" for row in rows)

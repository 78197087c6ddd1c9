"""Parse a model's TOML into its :class:`~tpsgd_host.model.config.Config`, and check every setting.

Shapes: T steps, C channels, P phases.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tpsgd.format import MAX_LAYERS, MAX_PHASES
from tpsgd.frontspec import MAX_CHANNELS
from tpsgd_host.data.layout import USUAL, Layout
from tpsgd_host.data.scaling import SIGMAS
from tpsgd_host.model.chain import MAX_INPUTS, MisfitError, layer_inputs
from tpsgd_host.model.config import (
    AMPLITUDES,
    L1,
    LABEL_LOSSES,
    LEAK,
    READOUT_STEPS,
    REGIONS,
    SEGMENTS,
    SHIFTS,
    TAPS,
    Config,
    LayerConfig,
    ScaleConfig,
    TrainingConfig,
)
from tpsgd_host.model.front import KEYS as FRONT_KEYS
from tpsgd_host.model.front import KINDS as FRONT_KINDS
from tpsgd_host.model.front import parse_front
from tpsgd_host.model.modelfile import KINDS, LOSSES, RESAMPLINGS, UPDATE_AT, WINDOWS
from tpsgd_host.model.prototypes import VARIATIONS
from tpsgd_host.model.settings import Document, Table, read_document

SCALES = ("std", "minmax", "fixed")
LARGEST = 3.4028234e38  # of a float32

MODEL_KEYS = ("name", "seed", "classes")
DATA_KEYS = (
    "label", "group", "columns", "steps", "channels", "windows", "window", "hop", "resample", "rate", "scale",
    "per_channel", "sigmas", "offset", "gain",
)  # fmt: skip
TARGETS = ("feedback", "label")
TRAINING_KEYS = ("shifts", "target", "update_at", "readout_steps", "total", "variation", "misses")
MAX_MISSES = 50.0  # percent
RENAMED = {"rule": "update_at", "checkpoints": "readout_steps"}  # in [training]: old names of settings
CONV_KEYS = ("depth", "stride", "pool", "padding", "regions")
PADDINGS = ("none", "same")
LAYER_KEYS = (
    "kind", "units", "shift", "leak", "target", "amplitude", "loss", "l1", "shifts", "frozen", "init", "kernel",
    "segments", *CONV_KEYS,
)  # fmt: skip


def load_config(path: str | Path, layers: bool = True) -> Config:
    """Read a model's TOML file; see :func:`parse_config` for parameters and errors."""
    return _config(read_document(path), layers)


def parse_config(text: str, source: str, layers: bool = True) -> Config:
    """Return the description in a TOML text.

    Parameters
    ----------
    text : str
    source : str
        Name of the text, for errors.
    layers : bool
        False where the layers come from a trained network. The text then needs no layers, and is not checked for layers
        that fit together.

    Raises
    ------
    ConfigError
        When a setting is not valid; names the line, the value and what is allowed.
    """
    return _config(Document(text, source), layers)


def _config(document: Document, chained: bool) -> Config:
    document_keys = ("model", "data", "frontend", "training", "layer")
    Table(document, "", 0, document.values, document_keys)
    model = document.table("model", MODEL_KEYS)
    data = document.table("data", DATA_KEYS)
    training = document.table("training", TRAINING_KEYS, RENAMED)
    tables = document.tables("layer", LAYER_KEYS)
    classes = model.texts("classes", 2, 255)
    layout = _layout(data, document.table("frontend", FRONT_KEYS) if "frontend" in document.values else None)
    shifts = training.integers("shifts", SHIFTS, 0, 15, MAX_PHASES)
    target = training.choice("target", "feedback", TARGETS)
    layers = tuple(_layer(table, shifts, target) for table in tables)
    recurrent = bool(layers) and layers[0].kind == "recurrent"
    if recurrent and not layers[0].amplitude:
        why = 'is for recurrent layers with target = "label"; with feedback they learn at every readout step'
        training.refuse(("update_at",), why)
    config = Config(
        name=model.text("name", Path(document.source).stem, empty=False),
        seed=model.integer("seed", 1, 1, 2**32 - 1),
        classes=classes,
        layout=layout,
        scale=_scale(data, layout),
        training=_training(training, shifts, target, recurrent or not chained, layout.steps),
        layers=layers,
        source=document.source,
    )
    if chained:
        _check_chain(document, tables, config)
        if not recurrent:
            config = replace(config, training=replace(config.training, readout_steps=0))
    return config


def _layout(data: Table, front: Table | None) -> Layout:
    """Return the data's layout; C follows from the columns where it is not given, or from the front end."""
    if front is not None:
        return _front_layout(data, front)
    windows: Any = data.choice("windows", "row", WINDOWS)
    resampling: Any = data.choice("resample", USUAL[windows], RESAMPLINGS)
    label, group = data.text("label", "label", empty=False), data.text("group", "")
    columns = data.texts("columns", 0, MAX_INPUTS * 4)
    for name, key in ((label, "label"), (group, "group")):
        if name and name in columns:
            raise data.error(
                "columns", f"columns in [data] contains {name!r}, which is the {key}", "Remove it from one of the two."
            )
    steps = data.integer("steps", 1 if windows == "row" else None, 1, 4096)
    channels = _channels(data, windows, columns, steps)
    if windows == "row":
        data.refuse(("window", "hop", "resample"), 'applies only with windows = "recording"')
    window = data.integer("window", 0, 0, 2**32 - 1)
    if not window:
        data.refuse(("hop",), "applies only with a window; without one, each recording is one sample")
    hop = data.integer("hop", 0, 0, 2**32 - 1)
    rate = data.real("rate", 0.0, 0.0, LARGEST)
    return Layout(steps, channels, windows, resampling, window, hop, rate, label, group, columns)


def _front_layout(data: Table, table: Table) -> Layout:
    """Return the layout of a model with a front end, which says how samples are made."""
    data.refuse(("windows", "window", "hop", "resample", "rate"), "has no meaning with a front end, which says it")
    kind = table.choice("kind", None, FRONT_KINDS)
    label, group = data.text("label", "label", empty=False), data.text("group", "")
    columns = data.texts("columns", 0, MAX_INPUTS * 4)
    steps = data.integer("steps", None, 1, 4096)
    if kind == "logmel":
        data.refuse(("channels", "columns"), "has no meaning with sound: the channels are the bands of the front end")
        front = parse_front(table, 0)
        return Layout(steps, front.channels, label=label, group=group, front=front)
    channels = data.integer("channels", len(columns) or None, 1, MAX_CHANNELS)
    if columns and channels != len(columns):
        message = f"channels in [data] is {channels}, there are {len(columns)} columns"
        raise data.error("channels", message, "Remove the line.")
    front = parse_front(table, channels)
    return Layout(
        steps, channels, "recording", USUAL["recording"], rate=float(front.rate), label=label, group=group,
        columns=columns, front=front,
    )  # fmt: skip


def _channels(data: Table, windows: str, columns: tuple[str, ...], steps: int) -> int:
    """Return C, and check the columns against it."""
    groups, rest = divmod(len(columns), steps) if windows == "row" else (len(columns), 0)
    if rest:
        message = f"columns in [data] has {len(columns)} names, which is not a multiple of steps = {steps}"
        raise data.error("columns", message, "A row holds the channels of step 1, then those of step 2, and so on.")
    channels = data.integer("channels", groups or None, 1, MAX_INPUTS)
    if columns and channels != groups:
        raise data.error(
            "channels", f"channels in [data] is {channels}, but the columns make {groups}", "Remove the line."
        )
    return channels


def _scale(data: Table, layout: Layout) -> ScaleConfig:
    channels = layout.channels
    if layout.front is not None:
        data.refuse(("scale", "per_channel", "sigmas", "offset", "gain"), "has no meaning with a front end")
        return ScaleConfig("fixed")
    method = data.choice("scale", "std", SCALES)
    if method != "std":
        data.refuse(("sigmas",), 'applies only with scale = "std"')
    if method == "fixed":
        data.refuse(("per_channel",), 'does not apply with scale = "fixed", where offset and gain may be lists')
    else:
        data.refuse(("offset", "gain"), 'applies only with scale = "fixed"')
    scale = ScaleConfig(
        method=method,
        per_channel=data.flag("per_channel", True),
        sigmas=data.real("sigmas", SIGMAS, 0.01, 1000.0),
        offset=data.reals("offset", 0.0, -LARGEST, LARGEST),
        gain=data.reals("gain", 1.0, -LARGEST, LARGEST),
    )
    for key, numbers in (("offset", scale.offset), ("gain", scale.gain)):
        if len(numbers) not in (1, channels):
            message = f"{key} in [data] has {len(numbers)} numbers, but there are {channels} channels"
            raise data.error(key, message, "Give one number, or one per channel.")
    return scale


def _training(table: Table, shifts: tuple[int, ...], target: str, recurrent: bool, steps: int) -> TrainingConfig:
    if not recurrent:
        table.refuse(("update_at", "readout_steps"), "applies only with a recurrent layer")
    most = min(16, steps)
    return TrainingConfig(
        shifts=shifts,
        target=target,
        update_at=table.choice("update_at", "last", UPDATE_AT),
        readout_steps=table.integer("readout_steps", min(READOUT_STEPS, most), 1, most),
        total=table.integer("total", 0, 0, 2**32 - 1),
        variation=_variation(table, steps),
        misses=table.real("misses", 0.0, 0.0, MAX_MISSES) / 100 if "misses" in table else None,
    )


def _variation(table: Table, steps: int) -> str:
    found = table.choice("variation", "none", VARIATIONS)
    if found != "none" and steps == 1:
        raise table.error(
            "variation", f'variation in [training] is "{found}", but a sample has one step', "It is for time series."
        )
    return found


def _layer(table: Table, shifts: tuple[int, ...], target: str) -> LayerConfig:
    kind = table.choice("kind", None, KINDS)
    output = kind == "output"
    if output:
        why = "is a setting of hidden layers; the output layer learns from its softmax"
        table.refuse(("target", "amplitude", "loss", "l1"), why)
    target = table.choice("target", target, TARGETS)
    if kind == "temporal" and target == "label":
        message = f'target = "label" for [[layer]] number {table.index + 1}: a temporal layer learns from feedback'
        hint = 'Use target = "feedback", or kind = "recurrent" or "conv", which have targets of their own.'
        raise table.error("target", message, hint)
    if target == "feedback" and not output:
        why = 'is a setting of layers with target = "label", but this one learns from feedback'
        table.refuse(("amplitude", "loss", "l1", "regions"), why)
    if kind != "recurrent":
        table.refuse(("leak",), "is a setting of recurrent layers")
    if kind != "conv":
        table.refuse(CONV_KEYS, "is a setting of conv layers")
    if kind not in ("conv", "temporal"):
        table.refuse(("kernel",), "is a setting of conv and temporal layers")
    if kind != "temporal":
        table.refuse(("segments",), "is a setting of temporal layers")
    label = target == "label" and not output
    loss = table.choice("loss", LABEL_LOSSES[kind] if label else "l2", LOSSES)
    if loss == "l2":
        table.refuse(("l1",), 'applies only with loss = "l1"')
    own = table.integers("shifts", shifts, 0, 15, MAX_PHASES)
    if len(own) != len(shifts):
        message = (
            f"shifts in [[layer]] number {table.index + 1} has {len(own)} phases, but [training] has {len(shifts)}"
        )
        raise table.error("shifts", message, "Give one shift for each phase.")
    layer = LayerConfig(
        kind=kind,
        units=table.integer("units", 0 if output else None, 0 if output else 1, 255 if output else 1024),
        shifts=own,
        shift=table.integer("shift", 5, 0, 15),
        leak=table.integer("leak", LEAK if kind == "recurrent" else 0, 0, 7),
        amplitude=table.integer("amplitude", AMPLITUDES[kind], 1, 127) if label else 0,
        loss=loss,
        l1=table.integer("l1", L1, 1, 127) if loss == "l1" else 0,
        frozen=table.flag("frozen", False),
        init=table.real("init", 0.0 if output else 1.0, 0.0, 100.0),
    )
    if kind == "temporal":
        taps, segments = table.integer("kernel", TAPS, 1, 255), table.integer("segments", SEGMENTS, 1, 16)
        return replace(layer, kernel=(taps, 0), segments=segments)
    return _window(table, layer) if kind == "conv" else layer


def _window(table: Table, layer: LayerConfig) -> LayerConfig:
    """Return a conv layer with its kernel and how the kernel moves."""
    if isinstance(table.values.get("kernel"), list):
        kernel = (*table.integers("kernel", (), 1, 255, 2), 0)[:2]
    else:
        kernel = (table.integer("kernel", None, 1, 255), 0)
    if not kernel[1]:
        table.refuse(("depth",), "applies only with a kernel of two numbers")
    if table.index:
        table.refuse(
            ("depth",), "is a setting of the first layer; later ones take the number of filters of the layer before"
        )
    padded = table.choice("padding", "none", PADDINGS) == "same"
    even = next((side for side in kernel if side and not side % 2), 0)
    if padded and even:
        message = f'padding = "same" in [[layer]] number {table.index + 1} does not fit a kernel of {even}'
        raise table.error("padding", message, "Use an odd size: only an odd kernel has a middle.")
    return replace(
        layer,
        kernel=(kernel[0], kernel[1]),
        padded=padded,
        depth=table.integer("depth", 1, 1, MAX_INPUTS),
        stride=table.integer("stride", 1, 1, 255),
        pool=table.integer("pool", 1, 1, 255),
        regions=table.integer("regions", REGIONS, 1, 15) if layer.amplitude else 0,
    )


def _check_chain(document: Document, tables: list[Table], config: Config) -> None:
    """Raise for layers that do not fit together."""
    layers = config.layers
    if not layers:
        raise document.error("", 0, "layer", "there is no [[layer]]", 'Add at least one, with kind = "output".')
    if len(layers) > MAX_LAYERS:
        raise tables[MAX_LAYERS].error("", f"there are {len(layers)} layers; the maximum is {MAX_LAYERS}")
    layout = config.layout
    try:
        layer_inputs(layers, layout.steps, layout.channels, config.training.readout_steps)
    except MisfitError as misfit:
        raise tables[misfit.index].error(misfit.key, str(misfit), misfit.hint) from None
    named = layers[-1].units
    if config.classes and named not in (0, len(config.classes)):
        message = f"the output layer has {named} units, but there are {len(config.classes)} classes"
        raise tables[-1].error("units", message, "Leave out units.")

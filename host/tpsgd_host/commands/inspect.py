"""``tpsgd-host inspect``: show what a model file or a checkpoint contains."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from tpsgd_host.boards.hearing import describe_front
from tpsgd_host.commands.options import FILE, json_option
from tpsgd_host.console import Console
from tpsgd_host.data.frontend import FrontEnd, LogMel
from tpsgd_host.errors import ModelError
from tpsgd_host.files import read_file
from tpsgd_host.model.checkpoint import MAGIC, Checkpoint, parse_checkpoint
from tpsgd_host.model.modelfile import MAX_FILE, Layer, Model, Weights, memory, parse_model
from tpsgd_host.terminal import echo


def inspect(path: Path) -> Model | Checkpoint:
    """Return the contents of a file.

    Raises
    ------
    ModelError
        When it cannot be read, is neither a model nor a checkpoint, or is damaged.
    """
    try:
        data = read_file(path, MAX_FILE)
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror}", "Name a .tpsgd model or a .ckpt checkpoint."
        ) from None
    if data[:4] == MAGIC:
        return parse_checkpoint(data, str(path))
    return parse_model(data, str(path))


def describe_model(model: Model) -> dict[str, Any]:
    """Return everything in a model file except its weights, for JSON."""
    layout, plan = model.layout, memory(model)
    return {
        "kind": "model", "name": model.name, "network": model.shape, "seed": model.seed,
        "crc_hex": f"{model.crc:08x}", "weights_crc_hex": f"{model.weights_crc:08x}",
        "file_bytes": len(model.to_bytes()), "parameters": model.parameters, "classes": list(model.classes),
        "data": {
            "label": layout.label, "group": layout.group, "columns": list(layout.columns), "steps": layout.steps,
            "channels": layout.channels, "windows": layout.windows, "window": layout.window, "hop": layout.hop,
            "resample": layout.resampling, "rate": layout.rate,
        },
        "frontend": None if layout.front is None else {"kind": _kind(layout.front), **asdict(layout.front)},
        "scaling": {"offset": model.scaling.offset.tolist(), "gain": model.scaling.gain.tolist()},
        "training": {"readout_steps": model.readout_steps, "update_at": model.update_at, "total": model.total,
                     "variation": model.variation},
        "layers": [_layer(layer, weights) for layer, weights in zip(model.layers, model.weights, strict=True)],
        "memory": {"buffers": [list(buffer) for buffer in plan.buffers], "total": plan.total},
    }  # fmt: skip


def _kind(front: FrontEnd) -> str:
    """Return what the TOML calls a kind of front end."""
    return "logmel" if isinstance(front, LogMel) else "motion"


def describe_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything in a checkpoint except its weights, for JSON."""
    return {
        "kind": "checkpoint", "model_crc_hex": f"{checkpoint.model_crc:08x}", "generation": checkpoint.generation,
        "run_id": checkpoint.run_id, "seen": checkpoint.seen, "total": checkpoint.total,
        "applied": checkpoint.applied, "generator": checkpoint.generator, "weight_bytes": len(checkpoint.weights),
    }  # fmt: skip


def _layer(layer: Layer, weights: Weights) -> dict[str, Any]:
    high = (weights if layer.frozen else weights >> 8).astype(np.int64) - 128
    output = layer.kind == "output"
    return {
        "kind": layer.kind, "inputs": layer.inputs, "units": layer.units, "shift": layer.shift, "leak": layer.leak,
        "target": None if output else "label" if layer.amplitude else "feedback",
        "amplitude": layer.amplitude or None, "loss": layer.loss if layer.amplitude else None,
        "l1": layer.l1 or None, "kernel": _kernel(layer),
        "stride": layer.stride or None, "pool": layer.pool or None, "regions": layer.regions or None,
        "segments": layer.segments or None,
        "padding": None if layer.kind != "conv" else "same" if layer.padded else "none",
        "update_shifts": list(layer.shifts), "frozen": layer.frozen, "bytes": weights.nbytes,
        "largest": int(np.abs(high).max()), "saturated": float((np.abs(high) == 127).mean()),
    }  # fmt: skip


def _kernel(layer: Layer) -> list[int] | int | None:
    """Return rows and columns of a conv layer's kernel, or the steps of a temporal layer's; None for others."""
    if layer.kind == "conv":
        return [layer.rows, layer.columns]
    return layer.rows or None


def show_model(model: Model, console: Console) -> None:
    """Print a model."""
    said = describe_model(model)
    console.print(
        f"[bold]{escape(model.name)}[/] {escape(model.shape)}, {model.parameters:,} parameters, seed {model.seed}"
    )
    console.print(f"{said['file_bytes']:,} bytes, CRC {said['crc_hex']}, weights' CRC {said['weights_crc_hex']}")
    console.print(escape(f"{len(model.classes)} classes: {', '.join(model.classes)}"))
    headings = ("layer", "n", "m", "S", "k", "target", "loss", "shifts", "bytes", "|hi|")
    layers = Table(*headings, box=box.SIMPLE)
    for layer in said["layers"]:
        target = f"±{layer['amplitude']}" if layer["amplitude"] else layer["target"] or "-"
        loss = "-" if target == "feedback" else f"{layer['loss'] or 'softmax'} {layer['l1'] or ''}".strip()
        shifts = "frozen" if layer["frozen"] else " ".join(map(str, layer["update_shifts"]))
        layers.add_row(
            layer["kind"], str(layer["inputs"]), str(layer["units"]), str(layer["shift"]), str(layer["leak"]), target,
            loss, shifts, f"{layer['bytes']:,}", str(layer["largest"]),
        )  # fmt: skip
    console.print(layers)
    console.print("n inputs, m units, S forward shift, k leak; |hi| the largest weight as the forward pass reads it")
    for layer, shape in zip(said["layers"], model.maps, strict=False):
        rows, columns = layer["kernel"]
        console.print(
            f"conv: kernel {rows} x {columns} x {shape.depth}, {'padded, ' if layer['padding'] == 'same' else ''}"
            f"stride {layer['stride']}, pooled by {layer['pool']} to {shape.rows} x {shape.columns} x {layer['units']}"
            + (f"; learns in {layer['regions']} regions each way" if layer["regions"] else "")
        )
    if model.temporal:
        first = model.layers[0]
        console.print(
            f"temporal: kernel of {first.rows} steps x {model.layout.channels} channels; passes on the maximum of each "
            f"unit in each of {first.segments} segments"
        )
    if model.recurrent:
        how = f"updated at {model.update_at}" if model.layers[0].amplitude else "at which they learn from feedback"
        console.print(f"{model.readout_steps} readout steps, {how}")
    spanned = f"{model.total:,} samples" if model.total else "a run, whatever its length"
    console.print(f"the schedule spans {spanned}")
    _show_data(model, console)
    plan = Table("memory", "bytes")
    plan.columns[1].justify = "right"
    for name, size in memory(model).buffers:
        plan.add_row(name, f"{size:,}")
    plan.add_row("[bold]in all[/]", f"[bold]{memory(model).total:,}[/]")
    console.print(plan)


def _show_data(model: Model, console: Console) -> None:
    """Print layout and scaling; of a model with a front end, that."""
    layout, scaling = model.layout, model.scaling
    names = f"label {layout.label!r}, group {layout.group or '-'!r}"
    console.print(escape(f"{names}, {layout.steps} steps of {layout.channels} channels"))
    for line in describe_front(model):
        console.print(line)
    if layout.front is not None:
        return
    if layout.windows == "row":
        console.print("each row is a sample")
    else:
        window = f"windows of {layout.window} readings, one every {layout.hop or layout.window}"
        rate = f", {layout.rate:g} Hz" if layout.rate else ""
        console.print(
            f"{window if layout.window else 'each recording is a sample'}, resampling {layout.resampling}{rate}"
        )
    table = Table("channel", "offset", "gain", "readings that fill the range")
    channels = len(scaling.offset)
    for index, (offset, gain) in enumerate(zip(scaling.offset.tolist(), scaling.gain.tolist(), strict=True)):
        name = layout.columns[index] if len(layout.columns) == channels else str(index)
        reach = 127 / abs(gain) if gain else 0.0
        span = f"{offset - reach:.5g} to {offset + reach:.5g}" if gain else "none: it is constant"
        table.add_row(escape(name) if channels > 1 else "all", f"{offset:.6g}", f"{gain:.6g}", span)
    console.print(table)


@click.command("inspect")
@click.argument("model", type=FILE)
@json_option
def command(model: Path, as_json: bool) -> None:
    """Show what a model file or a checkpoint contains.

    Checkpoints are files copied from a board.

    \b
    Example:
      tpsgd-host inspect gestures.tpsgd
      tpsgd-host inspect slot0.ckpt --json
    """
    found = inspect(model)
    if as_json:
        said = describe_model(found) if isinstance(found, Model) else describe_checkpoint(found)
        echo(json.dumps(said))
    elif isinstance(found, Model):
        show_model(found, Console())
    else:
        for key, value in describe_checkpoint(found).items():
            echo(f"{key.replace('_', ' ')}: {value}")

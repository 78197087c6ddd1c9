"""Change what the hidden layers learn from, in a TOML or in a model: feedback, or label targets.

Label targets are the rule of Lomnitz et al., arXiv:2208.08503.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias

import tomlkit

from tpsgd_host.errors import ConfigError
from tpsgd_host.model.config import label_targets
from tpsgd_host.model.modelfile import Layer, Model

Target: TypeAlias = Literal["feedback", "label"]

#: Kinds of layers that can learn from either.
EITHER = ("dense", "recurrent", "conv")

#: Settings of label targets, and of temporal layers, which have none.
LABEL_KEYS = ("amplitude", "loss", "l1", "regions")
TEMPORAL_KEYS = ("kernel", "segments")


def retarget(toml: str, target: Target) -> str:
    """Return a model's TOML, remarks included, with hidden layers that learn from ``target``.

    With label targets a recurrent layer replaces a temporal one, which has no such targets; and recurrent layers learn
    at the readout steps, unless the TOML says otherwise.
    """
    document = tomlkit.parse(toml)
    training, layers = document.setdefault("training", tomlkit.table()), document["layer"]
    for layer in layers:
        if layer["kind"] == "temporal" and target == "label":
            layer["kind"] = "recurrent"
            _drop(layer, TEMPORAL_KEYS)
        if layer["kind"] in EITHER or "target" in layer:
            layer["target"] = target
            if target == "feedback":
                _drop(layer, LABEL_KEYS)
    if target == "label" and layers[0]["kind"] == "recurrent":
        training.setdefault("update_at", "readout")
    elif target == "feedback":
        _drop(training, ("update_at",))
    _drop(training, ("target",))  # each layer now has its own
    return tomlkit.dumps(document)


def _drop(table: Any, keys: tuple[str, ...]) -> None:
    for key in keys:
        table.pop(key, None)


def with_target(model: Model, target: Target) -> Model:
    """Return the model, weights included, with hidden layers that learn from ``target``.

    Raises
    ------
    ConfigError
        When label targets are asked for and it has a temporal layer.
    """
    if target == "label" and any(layer.kind == "temporal" for layer in model.layers):
        raise ConfigError(
            f"{model.name} has a temporal layer, which always learns from feedback: it has no label targets",
            "Create another network: tpsgd-host new NAME --data DATA --target label",
        )
    layers = tuple(_aimed(layer, target) for layer in model.layers)
    update_at = "readout" if target == "label" and model.recurrent else model.update_at
    return replace(model, layers=layers, update_at=update_at) if layers != model.layers else model


def _aimed(layer: Layer, target: Target) -> Layer:
    if layer.kind not in EITHER:
        return layer
    if target == "feedback":
        return replace(layer, amplitude=0, loss="l2", l1=0, regions=0)
    return layer if layer.amplitude else replace(layer, **label_targets(layer.kind))

"""The contents of a model's TOML: its data, how it trains, and its layers.

Shapes: T steps, C channels, N classes, K readout steps, P phases, n inputs of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import SIGMAS

READOUT_STEPS = 4  # default for recurrent models
SHIFTS = (6, 7, 8)
LEAK = 2  # these two were best in docs/ACCURACY.md
AMPLITUDES = {"recurrent": 80, "dense": 127, "conv": 127}  # label targets are plus or minus this
REGIONS = 3  # for a conv layer with label targets, in each direction
L1 = 64  # with label targets: the push of loss "l1"
LABEL_LOSSES = {"recurrent": "l2", "dense": "l2", "conv": "l1"}
TAPS = 5  # steps that a temporal layer's kernel covers
SEGMENTS = 4  # for a temporal layer


@dataclass(frozen=True)
class ScaleConfig:
    """How readings become activations: a method that is fitted to calibration data, or fixed numbers.

    Attributes
    ----------
    method : {"std", "minmax", "fixed"}
    per_channel : bool
        Whether each channel has its own offset and gain, rather than one pair for all.
    sigmas : float
        For ``std``: standard deviations that fill the range.
    offset, gain : tuple of float, length 1 or C
        For ``fixed``: ``x = (reading - offset)*gain``, x in -127..127.
    """

    method: str = "std"
    per_channel: bool = True
    sigmas: float = SIGMAS
    offset: tuple[float, ...] = (0.0,)
    gain: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class LayerConfig:
    """One layer as a user describes it; fields as in :class:`tpsgd_host.model.modelfile.Layer`.

    Attributes
    ----------
    units : int
        0 for the output layer, which has one unit per class.
    amplitude : int
        0 for a layer that learns from feedback (temporal layers always do), and for the output layer.
    init : float
        Initial range of the weights, as a multiple of ``sqrt(3/n)``, which gives z the spread of the inputs.
    kernel : tuple of int
        Rows and columns of a conv layer's kernel; 0 columns where the kernel is one number, which spans steps of all
        channels, as in temporal layers.
    depth : int
        For a first conv layer whose kernel has columns: D of the sample.
    """

    kind: str
    units: int
    shifts: tuple[int, ...]
    shift: int = 5
    leak: int = 0
    amplitude: int = 100
    loss: str = "l2"
    l1: int = 0
    frozen: bool = False
    init: float = 1.0
    kernel: tuple[int, int] = (0, 0)
    depth: int = 1
    stride: int = 0
    pool: int = 0
    regions: int = 0
    segments: int = 0
    padded: bool = False


def label_targets(kind: str) -> dict[str, Any]:
    """Return the fields that label targets of a kind of layer have where nobody says otherwise."""
    loss = LABEL_LOSSES[kind]
    return {
        "amplitude": AMPLITUDES[kind], "loss": loss, "l1": L1 if loss == "l1" else 0,
        "regions": REGIONS if kind == "conv" else 0,
    }  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """How the whole network trains.

    Attributes
    ----------
    shifts : tuple of int, length P
        Update shifts, one per phase, of every layer that has none of its own.
    target : {"feedback", "label"}
        The default for hidden layers: they learn from the error of the next layer, or from targets of their own.
    update_at : {"last", "readout", "random", "every"}
        The steps at which a recurrent layer learns towards targets of its own.
    readout_steps : int
        K; 0 without a recurrent layer.
    total : int
        Training samples that the phases divide, for runs that announce no number.
    variation : {"none", "words", "motion"}
        How the samples of a run are varied before they are learned.
    misses : float or None
        Share of the known samples that a class none may take, in models that say when they are not sure.
    """

    shifts: tuple[int, ...] = SHIFTS
    target: str = "feedback"
    update_at: str = "last"
    readout_steps: int = 0
    total: int = 0
    variation: str = "none"
    misses: float | None = None


@dataclass(frozen=True)
class Config:
    """A model before it has weights.

    Attributes
    ----------
    classes : tuple of str
        If empty, those of the calibration data.
    layers : tuple of LayerConfig
        Empty only where a trained network has the layers (``parse_config(..., layers=False)``).
    """

    name: str
    seed: int
    classes: tuple[str, ...]
    layout: Layout
    scale: ScaleConfig = field(default=ScaleConfig())
    training: TrainingConfig = field(default=TrainingConfig())
    layers: tuple[LayerConfig, ...] = ()
    source: str = ""

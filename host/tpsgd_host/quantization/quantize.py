"""Make a model file from a description or a trained network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.samples import UNKNOWN, Samples
from tpsgd_host.data.subjects import HeldOut, load_divided
from tpsgd_host.errors import ConfigError, ModelError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import Config, ScaleConfig
from tpsgd_host.model.modelfile import Memory, Model, memory
from tpsgd_host.model.parsing import load_config
from tpsgd_host.quantization.floatnet import FloatNetwork
from tpsgd_host.quantization.quantizer import Inputs, network_inputs, quantize_network
from tpsgd_host.training.doubt import EPOCHS, NONE, Doubt, with_background, with_doubt
from tpsgd_host.training.executor import TEST, Bytes, Records
from tpsgd_host.training.practice import PASSES, variation_of
from tpsgd_host.training.simulator import Simulator

NETWORKS = (".npz", ".onnx")
MUCH_BETTER = 0.1  # inputs that raise the accuracy this much are those that the network was trained on
TRAINED_SIGMAS = 3.0  # a trained network has seen readings beyond two standard deviations, and needs them


@dataclass(frozen=True, repr=False)
class QuantizeReport:
    """The model that was made, and how good it is.

    Attributes
    ----------
    model : Model
    out : Path
        The file written.
    source : Samples
        The calibration data.
    memory : Memory
        Buffers that training needs.
    float_accuracy, integer_accuracy, agreement : float or None
        Accuracy before and after quantizing, and the share of equal predictions, on the calibration data; None where
        the model is not trained yet.
    clamped, used : float
        Share of the readings that reach an end of the input range; share of the range that a channel's middle 99%
        cover, averaged over channels.
    constant : tuple of str
        Channels that never change.
    better_inputs : (str, float) or None
        Other inputs that make the float network much more accurate, and that accuracy: ``inputs`` was most likely
        wrong.
    doubt : Doubt or None
        Thresholds for what is foreign, and what they cost; the network is trained then.
    """

    model: Model
    out: Path
    source: Samples
    memory: Memory
    clamped: float
    used: float
    constant: tuple[str, ...] = ()
    float_accuracy: float | None = None
    integer_accuracy: float | None = None
    agreement: float | None = None
    better_inputs: tuple[Inputs, float] | None = None
    doubt: Doubt | None = None

    def __repr__(self) -> str:
        return f"<QuantizeReport {self.out}: {self.model.shape}, trains in {self.memory.total:,} bytes>"

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        model = self.model
        return {
            "model": str(self.out), "name": model.name, "network": model.shape, "classes": list(model.classes),
            "parameters": model.parameters, "file_bytes": len(model.to_bytes()), "crc_hex": f"{model.crc:08x}",
            "ram_bytes": self.memory.total, "samples": len(self.source), "bad_rows": len(self.source.bad_rows),
            "input_clamped": self.clamped, "input_range_used": self.used, "constant_channels": list(self.constant),
            "float_accuracy": self.float_accuracy, "integer_accuracy": self.integer_accuracy,
            "agreement": self.agreement,
            "better_inputs": self.better_inputs[0] if self.better_inputs else None,
            "doubt": asdict(self.doubt) if self.doubt else None,
        }  # fmt: skip


def quantize(
    source: Path,
    data: Path,
    out: Path | None = None,
    config: Path | None = None,
    classes: tuple[str, ...] = (),
    bad_rows: BadRows = "stop",
    label: str | None = None,
    group: str | None = None,
    columns: tuple[str, ...] | None = None,
    activation: str = "tanh",
    inputs: Inputs = "raw",
    held_out: HeldOut = None,
    *,
    misses: float | None = None,
    background: Path | None = None,
    epochs: int = EPOCHS,
) -> QuantizeReport:
    """Write a model file.

    Parameters
    ----------
    source : Path
        A ``.toml`` description, whose weights are drawn from its seed, or a trained network, ``.npz`` or ``.onnx``.
    data : Path
        Calibration data.
    out : Path, optional
        By default ``source`` with the suffix ``.tpsgd``.
    config : Path, optional
        TOML with the data layout and training settings of a trained network. Without it each row is a sample.
    classes : tuple of str
        In the order of the outputs; if empty, the configuration's, else the data's.
    label, group : str, optional
    columns : tuple of str, optional
        Names of columns that replace the configuration's.
    activation : str
        The activation of an ``.npz`` network's hidden layers, where the file does not name it.
    inputs : {"raw", "std", "unit"}
        What a trained network was trained on; see ``tpsgd_host.quantization.quantizer.quantize_network``.
    held_out : LeaveOut or Share, optional
        Samples to ignore: those of subjects, or a share of the recordings.
    misses : float, optional
        Train the network, with a class none for what is foreign, and let that take this share of the known samples; by
        default what the description says. See :func:`~tpsgd_host.training.doubt.with_doubt`.
    background : Path, optional
        With ``misses``: recordings of what belongs to no class, in addition to those that ``data`` names none.
    epochs : int
        With ``misses``: passes to train.

    Raises
    ------
    ConfigError, DataError, ModelError, DependencyError
        When a file is not usable, or the files do not fit together.
    """
    suffix = source.suffix.lower()
    if suffix not in (".toml", *NETWORKS):
        hint = "A .tpsgd file is quantized already." if suffix == ".tpsgd" else "Save it as .npz or .onnx."
        raise ModelError(f"{source}: quantize takes .toml, .npz or .onnx files", hint)
    if suffix == ".toml" and config:
        raise ConfigError(f"--config {config} is for .npz and .onnx; {source} is a description itself", "Leave it out.")
    network = None if suffix == ".toml" else _network(source, config, activation)
    given = _config(source, config, network)
    given = replace(given, classes=classes or given.classes, layout=given.layout.named(label, group, columns))
    misses = given.training.misses if misses is None else misses
    if background and misses is None:
        raise ConfigError(
            f"{background} is background, but nothing says how many of the known samples may be refused for it",
            "Say it with --misses 5%, or misses = 5 in [training].",
        )
    wanted = given.classes or None
    if misses is not None and wanted:
        given = replace(given, classes=tuple(name for name in wanted if name != NONE))
        wanted = (*given.classes, NONE)
    samples, _ = load_divided(data, given.layout, wanted, bad_rows, held_out)
    named = samples if misses is None else _named(samples)
    model = build_model(given, named) if network is None else quantize_network(network, given, named, inputs)
    out = out or source.with_suffix(".tpsgd")
    stored = model.scaling.encode(named.values)
    clamped, used = _coverage(stored, model)
    report = QuantizeReport(model, out, named, memory(model), clamped, used, _constant(model))
    if network is not None:
        report = _compare(report, network, stored, inputs)
    if misses is not None:
        report = _careful(report, samples, misses, background, epochs, begun=network is None)
    report.model.save(out)
    return report


def _named(samples: Samples) -> Samples:
    """Return the samples of all classes but none."""
    if NONE not in samples.classes:
        return samples
    none = samples.classes.index(NONE)
    rest = samples.take(np.flatnonzero(samples.labels != none))
    labels = rest.labels - (rest.labels > none)
    return replace(rest, labels=labels.astype(np.uint8), classes=tuple(c for c in samples.classes if c != NONE))


def _careful(
    report: QuantizeReport, samples: Samples, misses: float, background: Path | None, epochs: int, begun: bool
) -> QuantizeReport:
    """Return the report of a network that is trained, and says when it is not sure."""
    model, count = report.model, len(report.model.classes)
    labels = np.array([model.classes.index(name) if name != NONE else count for name in samples.classes], np.uint8)
    given = replace(samples, labels=labels[samples.labels])
    if background:
        given = with_background(model, given, background)
    ready, doubt = with_doubt(
        model, given, misses=misses, epochs=epochs, begun=begun, way="both", variation=variation_of(model),
        passes=PASSES,
    )  # fmt: skip
    return replace(report, model=ready, memory=memory(ready), doubt=doubt)


def _network(source: Path, config: Path | None, activation: str) -> FloatNetwork:
    if source.suffix.lower() == ".onnx":
        from tpsgd_host.quantization.importers.onnx import load_onnx

        return load_onnx(source)
    from tpsgd_host.quantization.importers.npz import load_npz

    layout = load_config(config, layers=False).layout if config else None
    return load_npz(source, activation, layout.steps * layout.channels if layout else 0)


def _config(source: Path, config: Path | None, network: FloatNetwork | None) -> Config:
    """Return the configuration from the given TOML; without one, each row is a sample."""
    if network is None:
        return load_config(source)
    if config:
        return load_config(config, layers=False)
    if network.recurrent:
        raise ConfigError(
            f"{source} is a recurrent network: how are its steps cut from the data?",
            "Say so in a TOML (tpsgd-host new NAME --network rnn writes one) and name it with --config.",
        )
    layout, scale = Layout(1, network.layers[0].inputs), ScaleConfig(sigmas=TRAINED_SIGMAS)
    return Config(source.stem[:60] or "model", 1, (), layout, scale, source=str(source))


def _compare(report: QuantizeReport, network: FloatNetwork, stored: Bytes, inputs: Inputs) -> QuantizeReport:
    """Return the report with the accuracy of both networks on the calibration data."""
    samples, model = report.source, report.model
    before = _predicted(report, network, inputs)
    records = Records(np.full(len(samples), TEST, np.uint8), samples.labels, stored)
    after = Simulator(model).evaluate(records)[:, 0]
    known = samples.labels != UNKNOWN
    truth = samples.labels[known]
    right = float((before[known] == truth).mean())
    others = [other for other in get_args(Inputs) if other != inputs and network.mean is None]
    found = [(float((_predicted(report, network, other)[known] == truth).mean()), other) for other in others]
    best = max(found, key=lambda pair: pair[0], default=(0.0, inputs))
    return replace(
        report,
        float_accuracy=right,
        integer_accuracy=float((after[known] == truth).mean()),
        agreement=float((before == after).mean()),
        better_inputs=(best[1], best[0]) if best[0] > right + MUCH_BETTER else None,
    )


def _predicted(report: QuantizeReport, network: FloatNetwork, inputs: Inputs) -> npt.NDArray[np.intp]:
    """Return the float network's predictions for the calibration data, if it was trained on such inputs."""
    seen = network_inputs(network, report.source, report.model.scaling, inputs)
    predicted: npt.NDArray[np.intp] = network.logits(seen).argmax(axis=1)
    return predicted


def _coverage(stored: Bytes, model: Model) -> tuple[float, float]:
    """Return the share of readings at an end of the range, and the share of the range that channels use on average."""
    x = stored.reshape(-1, model.layout.channels).astype(np.int64) - 128
    low, high = np.percentile(x, [0.5, 99.5], axis=0)
    return float((np.abs(x) == 127).mean()), float(((high - low) / 254).mean())


def _constant(model: Model) -> tuple[str, ...]:
    names, channels = model.layout.columns, model.layout.channels
    return tuple(names[i] if len(names) == channels else f"channel {i}" for i in model.scaling.constant if i < channels)

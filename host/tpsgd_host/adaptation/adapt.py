"""Prepare a trained model to learn more on a board, from the board's own samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.adaptation.knowing import EPOCHS, Known, know
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.subjects import subjects_of, without_column
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.modelfile import Model, load_model, memory
from tpsgd_host.model.surgery import (
    ADAPTOR_UNITS,
    own_shift,
    redrawn,
    with_adaptor,
    with_class,
    with_learning,
    with_shifts,
)
from tpsgd_host.names import listing
from tpsgd_host.training.doubt import NONE

TRAIN = ("output", "adaptor", "all")
PASSES = 30  # through a few samples
FEW = 5  # samples a class of somebody new


@dataclass(frozen=True)
class AdaptReport:
    """The result of adapting a model.

    Attributes
    ----------
    before, model : Model
    out : Path
        The file written.
    added : tuple of str
        New classes.
    remarks : tuple of str
        Notes for the user before the board learns.
    known : Known or None
        What was measured on recordings of those who are known.
    """

    before: Model
    model: Model
    out: Path
    added: tuple[str, ...]
    remarks: tuple[str, ...]
    known: Known | None = None

    @property
    def learning(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """Return (name, weights, update shifts) of each layer that learns."""
        layers = zip(self.model.layers, self.model.weights, strict=True)
        return tuple((f"{y.kind} {i}", w.size, y.shifts) for i, (y, w) in enumerate(layers) if not y.frozen)

    @property
    def ram(self) -> tuple[int, int]:
        """Return the bytes that training needs, before and now."""
        return memory(self.before).total, memory(self.model).total

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        before, now = self.ram
        return {
            "model": str(self.out), "name": self.model.name, "network": self.model.shape,
            "classes": list(self.model.classes), "added": list(self.added),
            "learns": [{"layer": name, "weights": size, "shifts": list(s)} for name, size, s in self.learning],
            "ram_bytes_before": before, "ram_bytes": now, "file_bytes": len(self.model.to_bytes()),
            "crc_hex": f"{self.model.crc:08x}", "remarks": list(self.remarks),
            **({} if self.known is None else self.known.as_dict()),
        }  # fmt: skip


def adapt(
    source: Path,
    out: Path,
    *,
    train: str = "output",
    units: int = 0,
    added: tuple[str, ...] = (),
    shifts: tuple[int, ...] = (),
    force: bool = False,
    data: Path | None = None,
    persons: str = "",
    samples: int = FEW,
    ram: int = 0,
    misses: float | None = None,
    epochs: int = EPOCHS,
) -> AdaptReport:
    """Write a model that continues learning where a trained one stopped.

    Parameters
    ----------
    source : Path
        The trained model.
    train : {"output", "adaptor", "all"}
        What learns: the output layer; also a dense layer inserted before it; all layers. Other layers store one byte
        per weight.
    units : int
        Units of the adaptor; 0 for none, or with ``train`` "adaptor" for 32 or the number of classes.
    added : tuple of str
        New classes.
    shifts : tuple of int
        Update shifts of the output, one a phase; empty takes :func:`own_shift` of the model. Other layers learn more
        slowly, see ``with_shifts``.
    force : bool
        Whether to replace an existing file.
    data : Path, optional
        Recordings of the model's classes, with which it gets prototypes.
    persons, samples, ram, misses, epochs
        With ``data``: the column that says who made each recording, and as :func:`~tpsgd_host.adaptation.knowing.know`
        has it.

    Raises
    ------
    ModelError
        When the model cannot be read, or the result would not be a valid model.
    ConfigError
        When the model cannot be adapted in this way.
    DataError
        When the file cannot be written.
    """
    before = load_model(source)
    if out.exists() and not force:
        raise ConfigError(f"{out} exists", "Name another file with -o, or replace it with --force.")
    known = None
    if data is None:
        model = with_learning(before, len(before.layers) if train == "all" else 1)
    else:
        known = _known(before, data, persons, samples, ram, misses, epochs)
        model = known.model
    for name in added:
        model = with_class(model, name)
    if train == "adaptor" and not units:
        units = max(ADAPTOR_UNITS, len(model.classes))
    if units:
        model = with_adaptor(model, units)
    if known is None or shifts:
        model = with_shifts(model, shifts or (own_shift(before),))
    model.save(out)
    return AdaptReport(before, model, out, added, _remarks(model, added), known)


def _known(
    model: Model, data: Path, persons: str, samples: int, ram: int, misses: float | None, epochs: int
) -> Known:  # fmt: skip
    """Return a network with prototypes of recordings; parameters are as for :func:`adapt`."""
    layout = without_column(data, persons, model.layout) if persons else model.layout
    wanted = (*model.classes, NONE) if misses is not None and NONE not in model.classes else model.classes
    given = load_samples(data, layout, wanted)
    who = subjects_of(data, persons, given, model.layout.group) if persons else ()
    return know(model, given, who, count=samples, ram=ram, misses=misses, epochs=epochs)


def _remarks(model: Model, added: tuple[str, ...]) -> tuple[str, ...]:
    said = []
    changed = redrawn(model) if added else ()
    if changed:
        said.append(
            f"{listing(changed)} learn{'s' if len(changed) == 1 else ''} towards targets that the number of classes "
            "changes: show all classes again, or use --train output to leave it unchanged"
        )
    if added and model.prototypes is None:
        said.append(
            "show samples of the old classes among the new ones: classes that are never shown again are forgotten"
        )
    return tuple(said)

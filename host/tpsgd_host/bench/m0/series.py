"""The cost of a training step on a time series on a Cortex-M0: a recurrent and a temporal network of equal memory.

Shapes: T steps, C channels of a sample, K readout steps or segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

from tpsgd import kernels_plain, plan
from tpsgd.format import OUTPUT, READOUT, RECURRENT, TEMPORAL
from tpsgd.network import Network
from tpsgd_host.bench.m0 import trim, twin
from tpsgd_host.bench.m0.measure import instructions
from tpsgd_host.bench.m0.microbit import Microbit

#: The samples, and the recurrent layer that sets the memory: as many units as the micro:bit has room for.
STEPS, CHANNELS, CLASSES, PARTS, UNITS, TAPS = 12, 6, 3, 4, 16, 5
SAMPLES = 24

#: Weights and samples come from the project's generator. Every step has an error, as p_y is far from 127 at first.
GO = f"""from utime import ticks_us as us
from machine import disable_irq as off,enable_irq as on
def go(N,W):
 s=array('I',[2026]);x=N.sample
 for w in W:
  for i in range(0,len(w),2):
   w[i]=draw(s,256);w[i+1]=112+draw(s,33)
 for _ in range({SAMPLES}):
  for i in range(len(x)-1):x[i]=1+draw(s,255)
  y=draw(s,N.classes)
  i=off();t=us();N.train(y);t=us()-t;on(i)
  print(t)
 c=0
 for w in W:c=crc32(w,c)
 print(c&0xffffffff)
"""


@dataclass(frozen=True)
class SeriesCost:
    """Training steps of one network.

    Attributes
    ----------
    network : str
    planned : int
        Bytes of its buffers on the assembler engine.
    instructions : tuple of float
        For each step; both networks learn from feedback.
    crc : int
        Of the weights afterwards.
    """

    network: str
    planned: int
    instructions: tuple[float, ...]
    crc: int

    @property
    def mean(self) -> float:
        """Mean instructions of a step."""
        return sum(self.instructions) / len(self.instructions)


def recurrent() -> SimpleNamespace:
    """Return the recurrent model."""
    first = _layer(RECURRENT, UNITS, CHANNELS + UNITS, leak=2)
    return _model([first, _layer(OUTPUT, CLASSES, PARTS * UNITS)], PARTS)


def temporal() -> SimpleNamespace:
    """Return the largest temporal model that needs no more memory than the recurrent one."""
    room = planned(recurrent())
    units = 1
    while planned(_temporal(units + 1)) <= room:
        units += 1
    return _temporal(units)


def _temporal(units: int) -> SimpleNamespace:
    first = _layer(TEMPORAL, units, TAPS * CHANNELS, rows=TAPS, segments=PARTS)
    return _model([first, _layer(OUTPUT, CLASSES, PARTS * units)], 0)


def planned(model: SimpleNamespace) -> int:
    """Return the bytes of a model's buffers on the assembler engine."""
    return int(plan.total(plan.buffers(model, plan.WORDS["thumb"])))


def series_costs() -> list[SeriesCost]:
    """Measure both networks, each on its own board."""
    size = f"{CHANNELS}-{UNITS}-{CLASSES} K={PARTS}"
    narrow = f"{CHANNELS}-{temporal().layers[0].units}@{TAPS}-{CLASSES} K={PARTS}"
    return [_measured(f"RNN {size}", recurrent()), _measured(f"TDNN {narrow}", temporal())]


def _measured(name: str, model: SimpleNamespace) -> SeriesCost:
    here = Network(model, kernels_plain)
    with Microbit() as board:
        twin.move_in(board, here, *trim.pieces("runtime", ["crc32"]), GO)
        said = board.run("build()\ngc.collect()\ngo(N,W)", 300).split()
    return SeriesCost(name, planned(model), tuple(instructions(int(us)) for us in said[:-1]), int(said[-1]))


def _model(layers: list[SimpleNamespace], readout_steps: int) -> SimpleNamespace:
    """Return the parts of a model that ``Network`` and ``plan`` read."""
    return SimpleNamespace(
        seed=77, classes=CLASSES, steps=STEPS, channels=CHANNELS, readout_steps=readout_steps, update_at=READOUT,
        layers=layers, total=0,
    )  # fmt: skip


def _layer(kind: int, units: int, inputs: int, leak: int = 0, rows: int = 0, segments: int = 0) -> SimpleNamespace:
    """Return a layer that learns from feedback, or the output."""
    return SimpleNamespace(
        kind=kind, units=units, inputs=inputs, leak=leak, rows=rows, segments=segments, amplitude=0, l1=0, frozen=0,
        shift=5, shifts=b"\x08" if kind == OUTPUT else b"\x09", nbytes=lambda: 2 * units * (inputs + 1),
    )  # fmt: skip

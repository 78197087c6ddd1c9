"""What hearing costs: a frame of sound, and the time from the end of a word to its answer, engine by engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tpsgd_host.bench.emulated import esp32, rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.bench.emulated.trainer import copy_trainer
from tpsgd_host.bench.programs import run_there, virtual_folder
from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import BoardError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.parsing import parse_config

PROGRAM = "front_board.py"

#: Modules that stay away from a board: those of the link, of sensors, and of networks that are not measured.
AWAY = (
    "serve", "lesson", "taught", "variation", "frames", "cdc", "checkpoint", "learner", "replay", "newclass", "capture",
    "imu", "microphone", "motion", "kernels_np", "convolution", "convfeedback", "patches",
)  # fmt: skip

CLASSES = 10
STEPS = 20

TOML = """
[model]
classes = {classes}
[frontend]
kind = "logmel"
{front}
[data]
steps = {steps}
[training]
shifts = [8]
{training}
[[layer]]
{layer}
[[layer]]
kind = "output"
"""

#: Networks for spoken digits, K = 4: text of ``[training]``, text of the first layer.
NETWORKS = {
    "RNN 16-32": ("readout_steps = 4", 'kind = "recurrent"\nunits = 32\nleak = 1'),
    "TDNN 16-23@5": ("", 'kind = "temporal"\nunits = 23'),
}


@dataclass(frozen=True)
class Hearing:
    """What hearing costs on a board, in its unit. Boards other than the virtual one are emulated.

    Attributes
    ----------
    unit : str
        "cycles", "instructions" or "ns".
    frame : int
        A frame in a word: the median.
    last : int
        The frame that ends the word, with the sample made of it.
    forward : int
        The network's answer.
    heap : int
        Bytes of the front end, objects included.
    hold : float
        Seconds of quiet that end a word.
    every : float
        Seconds from frame to frame.
    hertz : int
        Units a second, 0 where that is not known.
    """

    where: str
    engine: str
    network: str
    unit: str
    frame: int
    last: int
    forward: int
    heap: int
    hold: float
    every: float
    hertz: int

    @property
    def share(self) -> float | None:
        """Share of the board's time that frames take."""
        return self.frame / self.hertz / self.every if self.hertz else None

    @property
    def computed(self) -> float | None:
        """Seconds from the last quiet sample to the answer."""
        return (self.last + self.forward) / self.hertz if self.hertz else None

    @property
    def answer(self) -> float | None:
        """Seconds from the end of a word to its answer, the quiet that ends it included."""
        return self.hold + self.computed if self.computed is not None else None


def hearing_model(name: str, front: str = "") -> Model:
    """Return an untrained network of :data:`NETWORKS` for ten words.

    The front end is as ``new`` writes it, but for the lines of TOML in ``front``.
    """
    training, layer = NETWORKS[name]
    classes = [str(i) for i in range(CLASSES)]
    text = TOML.format(classes=classes, steps=STEPS, training=training, layer=layer, front=front)
    config = parse_config(text, "hearing.toml")
    assert isinstance(config.layout.front, LogMel)
    labels = np.arange(CLASSES, dtype=np.uint8)
    none = np.zeros((CLASSES, STEPS, config.layout.front.channels))  # the scale is fixed: their form counts only
    return build_model(config, Samples(none, labels, config.classes, config.classes, np.arange(CLASSES)))


def measure_hearing(tell: Callable[[str], None] = lambda text: None) -> list[Hearing]:
    """Measure all networks on all engines and boards that are here; ``tell`` gets what is being measured."""
    found = [
        _hearing("virtual", engine, name, "ns", 10**9, _on_virtual, tell)
        for name in NETWORKS
        for engine in ("plain", "viper")
    ]
    if rp2040.missing() is None:
        for engine in ("viper", "thumb", "native"):
            with rp2040.RP2040() as chip:
                found += _on_chip(chip, "RP2040", engine, "cycles", rp2040.HERTZ, tell)
    if esp32.missing() is None:
        for engine in ("viper", "native"):
            with esp32.ESP32() as other:
                found += _on_chip(other, "ESP32", engine, "instructions", 0, tell)
    return found


def _on_chip(
    board: EmulatedBoard, where: str, engine: str, unit: str, hertz: int, tell: Callable[[str], None]
) -> list[Hearing]:
    """Measure all networks on one engine of an emulated board that has just started."""
    tell(f"{where}, {engine}: the trainer goes there")
    prepare(board, engine)
    return [_hearing(where, engine, name, unit, hertz, on_emulated(board), tell) for name in NETWORKS]


def _hearing(
    where: str, engine: str, network: str, unit: str, hertz: int, run: Callable[[Model, str], list[int]],
    tell: Callable[[str], None],
) -> Hearing:  # fmt: skip
    tell(f"{network}: {where}, {engine}")
    model = hearing_model(network)
    front = model.layout.front
    assert isinstance(front, LogMel)
    *costs, heap = run(model, engine)
    frame, last, forward = [cost // (esp32.INSTRUCTION_NS if unit == "instructions" else 1) for cost in costs]
    every = 1 / front.frame_rate
    return Hearing(
        where, engine, network, unit, frame, last, forward, heap, front.segmenting.hold * every, every, hertz
    )


def prepare(board: EmulatedBoard, engine: str = "viper") -> None:
    """Write the trainer and the program that measures to a board."""
    copy_trainer(board, PROGRAM, AWAY)
    # An ESP32 has little memory for machine code, and its heap grows into that: code goes first.
    front = "native" if engine == "native" else "viper"
    board.run(f"import gc, tpsgd.kernels_{engine}, tpsgd.logmel_{front}\ngc.collect()")


def on_emulated(board: EmulatedBoard) -> Callable[[Model, str], list[int]]:
    """Return what measures on an emulated board."""

    def run(model: Model, engine: str) -> list[int]:
        board.write("model.tpsgd", model.to_bytes())
        script = f"import gc, front_board\ngc.collect()\nfront_board.main('model.tpsgd', {engine!r})"
        return [int(part) for part in board.run(script, 600).split()]

    return run


def _on_virtual(model: Model, engine: str) -> list[int]:
    with virtual_folder(model, PROGRAM, None) as folder:
        done = run_there(folder, PROGRAM, "model.tpsgd", engine)
    if done.returncode:
        raise BoardError(f"the bench program failed on engine {engine}: {done.stderr.strip()[-200:]}")
    return [int(part) for part in done.stdout.split()]

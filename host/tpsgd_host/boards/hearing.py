"""What a front end costs a board, in words: for the commands that show a model."""

from __future__ import annotations

from tpsgd import frontend
from tpsgd.replay import EACH
from tpsgd.taught import kept_bytes
from tpsgd_host.data.frontend import EDGE, LogMel
from tpsgd_host.model.modelfile import Model, parsed

#: Cycles that a frame of 256 samples takes an RP2040, with the engine viper: `tpsgd-host bench frontend`.
CYCLES = 285_000
HERTZ = 125_000_000  # of that RP2040


def share_of_time(front: LogMel) -> float:
    """Return the share of an RP2040's time that the frames of sound take, about."""
    n = front.window
    cycles = CYCLES * n * (n.bit_length() - 1) / (256 * 8)
    return cycles * front.frame_rate / HERTZ


def memory_of_front(model: Model) -> int:
    """Return the bytes of RAM that a model's front end takes, 0 without one; the sample is the network's."""
    return 0 if model.layout.front is None else sum(size for _, size in frontend.buffers(parsed(model)))


def memory_of_taught(model: Model) -> tuple[int, int]:
    """Return the bytes of RAM of a taught sample that a board keeps, and those that it takes once for all of them."""
    size = model.layout.steps * model.layout.channels
    known = model.prototypes
    if known is not None:
        varied = known.way != "prototypes" and known.variation != "none"
        each, once = kept_bytes(model.layers[-1].inputs, size, varied, known.measures)
        return int(each), int(once)
    if len(model.layers) > 1 and all(layer.frozen or not any(layer.shifts) for layer in model.layers[:-1]):
        return model.layers[-1].inputs + EACH, 0
    return size + EACH, size


def describe_front(model: Model) -> list[str]:
    """Return what a model's front end is and what it costs, a line each; empty without one."""
    front = model.layout.front
    if front is None:
        return []
    ram = memory_of_front(model)
    each, once = memory_of_taught(model)
    kept = f"each sample that it is taught and keeps (replay) takes {each:,} more" + (
        f", and {once:,} once" * (once > 0)
    )
    if isinstance(front, LogMel):
        low, high = front.edges[0] / EDGE, front.edges[-1] / EDGE
        milliseconds = 1000 / front.frame_rate
        noise = "taken off" if front.noise else "left in"
        return [
            f"front end: hears {front.rate} samples a second, {front.channels} log-mel bands of {low:.0f} to "
            f"{high:.0f} Hz every {milliseconds:.0f} ms; noise between the words is {noise}",
            f"it takes {ram:,} bytes of RAM and about {share_of_time(front):.0%} of an RP2040's time while it listens",
            kept,
        ]
    return [
        f"front end: finds gestures in {front.rate} readings a second of {front.channels} channels, on a fixed scale",
        f"it takes {ram:,} bytes of RAM while it watches",
        kept,
    ]

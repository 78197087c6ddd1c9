"""The table ``[frontend]`` of a model's TOML: from its settings to a front end, and back to the words of an error.

Shapes: C bands or channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

from tpsgd import frontspec
from tpsgd_host.data.frontend import EDGE, FULL, GESTURES, FrontEnd, LogMel, Motion, Segmenting, device_spec, mel_edges
from tpsgd_host.model.settings import Table

KINDS = ("logmel", "motion")
SEGMENTING_KEYS = ("on", "off", "hold", "before", "after", "shortest", "settle", "follow", "longest")
SOUND_KEYS = ("window", "hop", "bands", "low", "high", "offset", "reach", "noise")
MOTION_KEYS = ("full_scale", "counts")
KEYS = ("kind", "rate", *SOUND_KEYS, *MOTION_KEYS, *SEGMENTING_KEYS)

RATE = 8000  # of a microphone, by default
BANDS = {8000: 16, 16000: 20}
LOW = 100.0  # Hz
READINGS = 100  # of a motion sensor, a second
FULL_SCALE = 16384.0  # 1 g on a sensor of 2 g

_SOUND = """\

[frontend]  # makes samples of sound, on the board as here (docs/FRONTEND.md says what each setting costs)
kind = "logmel"
rate = {rate}  # samples per second, 8000 or 16000; twice as many, from a microphone or WAV files, are halved
window = {window}  # samples that a frame is made of, a power of two; a longer one tells tones apart more finely
hop = {hop}  # samples from frame to frame; half as many take twice the board's time
bands = {bands}  # C, 2..40: how finely the spectrum is seen; the network's memory grows with it
low = {low}  # Hz where the bands begin; they end at high, half the rate if it is not set
noise = true  # takes the power of the noise between the words off the words
"""

_MOTION = """\

[frontend]  # finds gestures among readings, on the board as here (docs/FRONTEND.md)
kind = "motion"
rate = {rate}  # readings a second
full_scale = {full}  # a channel's reading on the board that fills the range; what is beyond is clamped
counts = {counts}  # a number in the data file times this is the board's reading, a whole number up to 32767
"""

_SEGMENTING = """\
on = {on}  # activity of a band or channel that begins a word or gesture: a higher one misses faint ones
off = {off}  # activity below which it is quiet again
hold = {hold}  # quiet frames or readings that end it: more join what has short gaps, and answer later
"""

#: A moving sensor's numbers in 16 bits times the largest multiplier must fit 32 bits.
SMALLEST_FULL_SCALE = 254.0


def parse_front(table: Table, channels: int) -> FrontEnd:
    """Return the front end that ``[frontend]`` describes.

    Parameters
    ----------
    channels : int
        C of a motion sensor; sound has its own number of bands.

    Raises
    ------
    ConfigError
        Names the line, the value and what is allowed.
    """
    kind = table.choice("kind", None, KINDS)
    front = _sound(table) if kind == "logmel" else _motion(table, channels)
    try:
        device_spec(front)
    except ValueError as error:
        hint = "before + after < hold <= longest, off <= on, shortest <= longest (docs/FRONTEND.md)."
        raise table.error("", str(error), hint) from None
    return front


def _sound(table: Table) -> LogMel:
    table.refuse(MOTION_KEYS, 'applies only with kind = "motion"')
    rate = table.integer("rate", RATE, 4000, 48000)
    window = table.integer("window", _power(rate * 0.032), frontspec.MIN_WINDOW, frontspec.MAX_WINDOW)
    if window & (window - 1):
        raise table.error("window", f"window in [frontend] is {window}, but must be a power of two", "Take 256.")
    bands = table.integer("bands", BANDS.get(rate, 16), 2, frontspec.MAX_BANDS)
    low = table.real("low", LOW, 1.0, rate / 2 - 1)
    high = table.real("high", rate / 2, low + 1, rate / 2)
    front = LogMel(
        rate=rate,
        window=window,
        hop=table.integer("hop", window // 2, 1, window),
        edges=mel_edges(bands, low, high),
        offset=table.integer("offset", 40, 0, 255),
        reach=table.integer("reach", 128, 1, 128),
        noise=table.flag("noise", True),
        segmenting=_segmenting(table, Segmenting()),
    )
    if front.empty_band is not None:
        message = f"band {front.empty_band + 1} of {bands} lies between two bins of the window: it would hear nothing"
        raise table.error("bands", message, "Use fewer bands, or a larger window.")
    return front


def _motion(table: Table, channels: int) -> Motion:
    table.refuse(SOUND_KEYS, 'applies only with kind = "logmel"')
    scales = table.reals("full_scale", FULL_SCALE, SMALLEST_FULL_SCALE, 65535.0 * 127)
    if len(scales) not in (1, channels):
        message = f"full_scale in [frontend] has {len(scales)} numbers, but there are {channels} channels"
        raise table.error("full_scale", message, "Give one number, or one per channel.")
    multipliers = tuple(max(1, min(0x7FFF, round(FULL / scale))) for scale in scales)
    return Motion(
        rate=table.integer("rate", READINGS, 1, 65535),
        multipliers=multipliers * channels if len(multipliers) == 1 else multipliers,
        counts=table.real("counts", 1.0, 1e-6, 1e6),
        segmenting=_segmenting(table, GESTURES),
    )


def _segmenting(table: Table, usual: Segmenting) -> Segmenting:
    most = {"follow": 12, "longest": frontspec.MAX_LONGEST}
    values = {key: table.integer(key, value, 0, most.get(key, 255)) for key, value in asdict(usual).items()}
    return replace(usual, **values)


def sound_front(rate: int = RATE) -> LogMel:
    """Return the usual front end for sound of ``rate`` samples a second."""
    window = _power(rate * 0.032)
    return LogMel(rate, window, window // 2, mel_edges(BANDS.get(rate, 16), LOW, rate / 2))


def motion_front(largest: Sequence[float], whole: bool, rate: float) -> Motion:
    """Return a front end for readings of a motion sensor.

    Parameters
    ----------
    largest : sequence of float, length C
        The largest reading of each channel in a data file, without its sign.
    whole : bool
        Whether the file has the sensor's own whole numbers.
    rate : float
        Readings a second; 0: unknown.
    """
    counts = 1.0 if whole else 10.0 ** math.floor(math.log10(32767 / max(*largest, 1e-3)))
    full = [max(SMALLEST_FULL_SCALE, round(value * counts / 2)) for value in largest]
    return Motion(round(rate) or READINGS, tuple(max(1, round(FULL / scale)) for scale in full), counts)


def render_front(front: FrontEnd) -> str:
    """Return the commented table ``[frontend]``."""
    segmenting = front.segmenting
    if isinstance(front, LogMel):
        text = _SOUND.format(
            rate=front.rate,
            window=front.window,
            hop=front.hop,
            bands=front.channels,
            low=f"{front.edges[0] / EDGE:.0f}",
        )
    else:
        full = [round(FULL / multiplier) for multiplier in front.multipliers]
        text = _MOTION.format(rate=front.rate, full=full, counts=front.counts)
    return text + _SEGMENTING.format(on=segmenting.on, off=segmenting.off, hold=segmenting.hold)


def _power(size: float) -> int:
    """Return the power of two that is nearest from above, at most the largest window."""
    bits = max(5, (round(size) - 1).bit_length())
    return min(int(frontspec.MAX_WINDOW), 1 << bits)

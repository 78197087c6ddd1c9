"""The table ``[frontend]`` of a model's TOML: from its settings to a front end, and back to the words of an error.

Shapes: C bands or channels.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from tpsgd import frontspec
from tpsgd_host.data.frontend import FULL, GESTURES, FrontEnd, LogMel, Motion, Segmenting, device_spec, mel_edges
from tpsgd_host.model.settings import Table

KINDS = ("logmel", "motion")
SEGMENTING_KEYS = ("on", "off", "hold", "before", "after", "shortest", "settle", "follow", "longest")
SOUND_KEYS = ("window", "hop", "bands", "low", "high", "offset", "reach", "noise")
MOTION_KEYS = ("full_scale", "counts")
KEYS = ("kind", "rate", *SOUND_KEYS, *MOTION_KEYS, *SEGMENTING_KEYS)

RATE = 8000  # of a microphone, where nobody says
BANDS = {8000: 16, 16000: 20}
LOW = 100.0  # Hz
READINGS = 100  # of a motion sensor, a second
FULL_SCALE = 16384.0  # 1 g on a sensor of 2 g

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
    table.refuse(MOTION_KEYS, 'has a meaning only with kind = "motion"')
    rate = table.integer("rate", RATE, 4000, 48000)
    window = table.integer("window", _power(rate * 0.032), frontspec.MIN_WINDOW, frontspec.MAX_WINDOW)
    if window & (window - 1):
        raise table.error("window", f"window in [frontend] is {window}, it must be a power of two", "Take 256.")
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
        raise table.error("bands", message, "Take fewer bands, or a larger window.")
    return front


def _motion(table: Table, channels: int) -> Motion:
    table.refuse(SOUND_KEYS, 'has a meaning only with kind = "logmel"')
    scales = table.reals("full_scale", FULL_SCALE, SMALLEST_FULL_SCALE, 65535.0 * 127)
    if len(scales) not in (1, channels):
        message = f"full_scale in [frontend] holds {len(scales)} numbers, there are {channels} channels"
        raise table.error("full_scale", message, "Give one number, or one a channel.")
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


def _power(size: float) -> int:
    """Return the power of two that is nearest from above, at most the largest window."""
    bits = max(5, (round(size) - 1).bit_length())
    return min(int(frontspec.MAX_WINDOW), 1 << bits)

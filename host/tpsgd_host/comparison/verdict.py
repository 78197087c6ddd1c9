"""What the figures say, in sentences; and whether they say it, or it is noise.

Differences are paired: network by network of the same seed. Noise is what their mean may be off by chance: the
half-width of its 95% confidence interval (Student's t), and never less than one test sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from tpsgd_host.comparison.results import Entry

#: Student's t for 95%, two-sided, by degrees of freedom 1 to 30; beyond that 1.96 is near enough.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

RISING = 0.02  # from one quarter of the epochs to the next, below
LEARNED = 0.97  # of the training samples: more epochs may help

_DFA_KIND = ("dfa", "fa", "drtp")


@dataclass(frozen=True)
class Difference:
    """How far one method is above another, in points (percent of the test samples).

    Attributes
    ----------
    points : float
        Mean over the seeds.
    noise : float or None
        What of it may be chance; None where a single seed cannot tell.
    """

    points: float
    noise: float | None

    @property
    def sure(self) -> bool:
        """Whether it is more than noise."""
        return self.noise is not None and abs(self.points) > self.noise


def difference(one: Sequence[float], other: Sequence[float], test_samples: int) -> Difference:
    """Return how far ``one`` is above ``other``, accuracies of 0 to 1 of the same seeds in the same order."""
    pairs = [100 * (a - b) for a, b in zip(one, other, strict=True)]
    if len(pairs) < 2:
        return Difference(fmean(pairs), None)
    t = _T[len(pairs) - 2] if len(pairs) - 2 < len(_T) else 1.96
    return Difference(fmean(pairs), max(t * stdev(pairs) / sqrt(len(pairs)), 100 / test_samples))


def verdict(entries: Sequence[Entry], test_samples: int) -> tuple[str, ...]:
    """Return what a user should know: against backprop, hidden layers, rivals, chance."""
    by_name = {entry.name: entry for entry in entries}
    ours = by_name.get("int-tpsgd")
    sentences: list[str] = []
    if ours is None:
        return ()
    backprop, still = by_name.get("bp"), by_name.get("int-frozen")
    if backprop is not None:
        sentences.append(_against(ours, backprop, "backprop", test_samples))
    if still is not None and still.bytes != ours.bytes:  # else nothing else learns anyway
        sentences.append(_hidden(ours, still, test_samples))
    rivals = [by_name[name] for name in _DFA_KIND if name in by_name]
    if rivals:
        best = max(rivals, key=lambda rival: rival.mean)
        name = best.title if len(rivals) == 1 else f"{best.title}, the best of its rivals"
        sentences.append(_against(ours, best, name, test_samples))
    sentences += _unfinished(ours)
    if len(ours.accuracies) == 1:
        sentences.append("One seed cannot tell a difference from chance: --seeds 5 can.")
    elif len(ours.accuracies) < 4:
        sentences.append(f"{len(ours.accuracies)} seeds leave much to chance: --seeds 5 leaves less.")
    sentences += [
        f"{entry.title} diverged with {entry.diverged} of {len(entry.accuracies)} seeds."
        for entry in entries
        if entry.diverged
    ]
    return tuple(sentences)


def _against(ours: Entry, other: Entry, name: str, test_samples: int) -> str:
    gap = difference(ours.accuracies, other.accuracies, test_samples)
    ram = _ram(ours.bytes, other.bytes)
    if gap.noise is None or gap.sure:
        if gap.points < 0:
            return f"tpsgd costs you {_points(gap)} against {name}{ram}."
        if gap.points > 0:
            return f"tpsgd gains {_points(gap)} on {name}{ram}."
    return f"tpsgd is level with {name} ({_signed(gap)}, within the noise){ram}."


def _hidden(ours: Entry, still: Entry, test_samples: int) -> str:
    gap = difference(ours.accuracies, still.accuracies, test_samples)
    bare = f"frozen = true saves {ours.bytes - still.bytes:,} bytes"
    if gap.noise is None or gap.sure:
        if gap.points > 0:
            return f"Training the hidden layers gains {_points(gap)} over leaving them frozen."
        if gap.points < 0:
            return f"Training the hidden layers costs {_points(gap)}: leave them frozen, {bare}."
    return f"Training the hidden layers brings nothing that is more than noise ({_signed(gap)}): {bare}."


def _unfinished(ours: Entry) -> list[str]:
    """Say that more epochs may help where the last quarter of them still did."""
    quarter = len(ours.curve) // 4
    if quarter < 2:
        return []
    before, last = (fmean(ours.curve[end - quarter :][:quarter]) for end in (-quarter, 0))
    if last - before < RISING or last > LEARNED:
        return []
    epochs = len(ours.curve)
    return [
        f"tpsgd was still learning when its {epochs} epochs were over ({100 * before:.0f}% right before it was "
        f"learned, in the last quarter {100 * last:.0f}%): try --epochs {4 * epochs}."
    ]


def _ram(ours: int, other: int) -> str:
    ratio = other / ours
    if ratio >= 1.05:
        return f" and trains in {_times(ratio)} less RAM ({ours:,} bytes instead of {other:,})"
    if ratio <= 0.95:
        return f" and takes {_times(1 / ratio)} the RAM ({ours:,} bytes instead of {other:,})"
    return f" in as much RAM ({ours:,} bytes)"


def _times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"


def _points(gap: Difference) -> str:
    size = f"{abs(gap.points):.1f} points"
    return size if gap.noise is None else f"{size} (±{gap.noise:.1f})"


def _signed(gap: Difference) -> str:
    text = f"{gap.points:+.1f} points"
    return text if gap.noise is None else f"{text} ±{gap.noise:.1f}"

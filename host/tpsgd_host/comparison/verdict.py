"""Say in sentences what the figures show, and what they leave undecided."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from tpsgd_host.comparison.differences import difference
from tpsgd_host.comparison.results import OURS, Difference, Entry

RISING = 0.02  # between quarters of the epochs, as below
LEARNED = 0.97  # of the training samples; with this gain more epochs may help

_DFA_KIND = ("dfa", "fa", "drtp")


def verdict(entries: Sequence[Entry], test_samples: int) -> tuple[str, ...]:
    """Return sentences for the user, about backprop, hidden layers, rivals and chance."""
    by_name = {entry.name: entry for entry in entries}
    ours = by_name.get(OURS)
    sentences: list[str] = []
    if ours is None:
        return ()
    backprop, still = by_name.get("bp"), by_name.get("int-frozen")
    if backprop is not None:
        sentences.append(_against(ours, backprop, "backprop", test_samples))
    if still is not None and still.bytes != ours.bytes:  # in other networks nothing else learns anyway
        sentences.append(_hidden(ours, still, test_samples))
    rivals = [by_name[name] for name in _DFA_KIND if name in by_name]
    if rivals:
        best = max(rivals, key=lambda rival: rival.mean)
        name = best.title if len(rivals) == 1 else f"{best.title}, the best of its rivals,"
        sentences.append(_against(ours, best, name, test_samples))
    sentences += [*_unfinished(ours), *_few_seeds(ours)]
    sentences += [
        f"{entry.title} diverged with {entry.diverged} of {len(entry.accuracies)} seeds."
        for entry in entries
        if entry.diverged
    ]
    return tuple(sentences)


def network_verdict(best: Entry, entries: Sequence[Entry], test_samples: int) -> tuple[str, ...]:
    """Return sentences about networks: which one was chosen, and what it gains on each of the others."""
    first = f"{best.title} was the best on the validation parts: {100 * best.validation:.1f}%."
    others = [_against(best, other, other.title, test_samples) for other in entries if other is not best]
    return (first, *others, *_unfinished(best), *_few_seeds(best))


def _few_seeds(ours: Entry) -> list[str]:
    """Warn that few networks tell little."""
    count = len(ours.accuracies)
    if count == 1:
        return ["One seed cannot tell a difference from chance: --seeds 5 can."]
    return [f"{count} seeds leave much to chance; --seeds 5 leaves less."] if count < 4 else []


def _against(ours: Entry, other: Entry, name: str, test_samples: int) -> str:
    subject = _subject(ours)
    gap = difference(ours, other, test_samples)
    ram = _ram(ours.bytes, other.bytes)
    if gap.noise is None or gap.decided:
        if gap.points < 0:
            return f"{subject} costs you {_points(gap)} against {name} and {ram}."
        if gap.points > 0:
            return f"{subject} gains {_points(gap)} on {name} and {ram}."
    return f"{subject} against {name} is undecided: {_interval(gap)}. {subject} {ram}."


def _hidden(ours: Entry, still: Entry, test_samples: int) -> str:
    gap = difference(ours, still, test_samples)
    bare = f"frozen = true saves {ours.bytes - still.bytes:,} bytes"
    if gap.noise is None or gap.decided:
        if gap.points > 0:
            return f"Training the hidden layers gains {_points(gap)} over leaving them frozen."
        if gap.points < 0:
            return f"Training the hidden layers costs {_points(gap)}: leave them frozen, {bare}."
    return f"Whether training the hidden layers helps is undecided, {_interval(gap)}: {bare}."


def hardly_learned(entries: Sequence[Entry], commonest: float) -> tuple[str, ...]:
    """Name the methods with networks that did not learn.

    Parameters
    ----------
    commonest : float
        Share of the most common class in the test samples.
    """
    best = max((max(entry.accuracies) for entry in entries), default=0.0)
    floor = (commonest + best) / 2
    counts = [(entry, sum(accuracy < floor for accuracy in entry.accuracies)) for entry in entries]
    return tuple(
        f"{count} of {len(entry.accuracies)} networks of {entry.title} hardly learned: below {100 * floor:.0f}%, "
        "halfway between always answering the most common class and the best network"
        for entry, count in counts
        if count and best > commonest
    )


def _unfinished(ours: Entry) -> list[str]:
    """Suggest more epochs if the last quarter still helped."""
    quarter = len(ours.curve) // 4
    if quarter < 2:
        return []
    before, last = (fmean(ours.curve[end - quarter :][:quarter]) for end in (-quarter, 0))
    if last - before < RISING or last > LEARNED:
        return []
    epochs = len(ours.curve)
    return [
        f"{_subject(ours)} was still learning when its {epochs} epochs ended ({100 * before:.0f}% right before it "
        f"was learned, in the last quarter {100 * last:.0f}%): try --epochs {4 * epochs}."
    ]


def _subject(ours: Entry) -> str:
    return "tpsgd" if ours.name == OURS else ours.title


def _ram(ours: int, other: int) -> str:
    ratio = other / ours
    if ratio >= 1.05:
        return f"trains in {_times(ratio)} less RAM ({ours:,} bytes instead of {other:,})"
    if ratio <= 0.95:
        return f"takes {_times(1 / ratio)} the RAM ({ours:,} bytes instead of {other:,})"
    return f"trains in as much RAM ({ours:,} bytes)"


def _times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"


def _points(gap: Difference) -> str:
    size = f"{abs(gap.points):.1f} points"
    return size if gap.noise is None else f"{size} (±{gap.noise:.1f})"


def _interval(gap: Difference) -> str:
    """Describe an undecided difference: its interval, and what would decide it."""
    if gap.noise is None:
        return f"{gap.points:+.1f} points"
    low, high = gap.points - gap.noise, gap.points + gap.noise
    text = f"{gap.points:+.1f} points, between {low:+.1f} and {high:+.1f}"
    if gap.needed is None:
        return text
    return (
        f"{text}; some {rounded(gap.needed):,} recordings to test on would decide it ({gap.recordings:,} were tested)"
    )


def rounded(count: int) -> int:
    """Return an estimated count rounded to two significant digits."""
    return round(count, 2 - len(str(count)))

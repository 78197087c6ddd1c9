"""What a study of adapting found: numbers, and the sentences that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from tpsgd_host import __version__
from tpsgd_host.adaptation.ways import Choice
from tpsgd_host.names import file_name

SCHEMA = 1  # of the JSON
TARGET_COUNT = 10  # samples a class that the verdict speaks of, or the most there are
NEAR = 3.0  # points within which a new one counts as regained


@dataclass(frozen=True)
class Adapted:
    """One way to adapt with n samples a class: test accuracies on the new one and on the old ones, one a seed.

    With ``count`` 0 nothing was adapted yet.

    Attributes
    ----------
    tuning : str
        How it was adapted.
    validation : tuple of float
        Accuracy on new and old ones where that was chosen.
    """

    way: str
    count: int
    new: tuple[float, ...]
    old: tuple[float, ...]
    tuning: str = ""
    validation: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, way: str, count: int, pairs: Sequence[tuple[float, float]], choice: Choice | None = None) -> Adapted:
        """Return what (new, old) pairs of accuracies, one a seed, say."""
        new, old = tuple(new for new, _ in pairs), tuple(old for _, old in pairs)
        if choice is None:
            return cls(way, count, new, old)
        return cls(way, count, new, old, str(choice.tuning), (choice.new, choice.old))


@dataclass(frozen=True)
class HeldOut:
    """One who, or a class that, was held out."""

    name: str
    adapted: tuple[Adapted, ...]

    def mean(self, way: str, count: int, old: bool = False) -> float:
        """Return the mean accuracy after adapting, on the new one or on the old ones."""
        (found,) = (a for a in self.adapted if (a.way, a.count) == (way, count))
        return fmean(found.old if old else found.new)


@dataclass(frozen=True)
class AdaptationStudy:
    """A whole study of what a trained network makes of somebody or something new.

    Attributes
    ----------
    kind : {"subject", "class"}
        Whether somebody new was adapted to, or a class was added.
    column : str
        What is held out, for people: speaker, wearer, class.
    names : tuple of str
        All there are; ``held_out`` are those that were held out.
    counts : tuple of int
        Samples a class to adapt on.
    ways : tuple of (name, title, bytes)
        Bytes are the RAM that adapting takes on a board, kept samples among them.
    notes : tuple of str
        What a user should know about the data.
    """

    kind: str
    problem: str
    network: str
    column: str
    names: tuple[str, ...]
    counts: tuple[int, ...]
    seeds: tuple[int, ...]
    ways: tuple[tuple[str, str, int], ...]
    data: str
    held_out: tuple[HeldOut, ...]
    notes: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return file_name(self.problem, "network")

    def mean(self, way: str, count: int, old: bool = False) -> float:
        """Return the mean accuracy after adapting, on the new ones or on the old; ``count`` 0 is before."""
        return fmean(one.mean(way, count, old) for one in self.held_out)

    def best(self, count: int, old: bool) -> tuple[str, str, int]:
        """Return the way that was best on the new ones, or on new and ``old`` ones alike, where it was chosen."""

        def score(way: tuple[str, str, int]) -> float:
            found = [a.validation for h in self.held_out for a in h.adapted if (a.way, a.count) == (way[0], count)]
            return fmean(pair[0] + (pair[1] if old else 0.0) for pair in found)

        return max(self.ways, key=score)

    def verdict(self) -> tuple[str, ...]:
        """Return what a user should know."""
        n = spoken_of(self.counts)
        said = self._of_class(n) if self.kind == "class" else self._of_subject(n)
        return (*said, *(f"Note: {note}." for note in self.notes))

    def _of_subject(self, n: int) -> tuple[str, ...]:
        way, title, size = self.best(n, old=False)
        known, new = self.mean(way, 0, True), self.mean(way, n)
        gap = 100 * (known - new)
        within = "" if gap <= 0 else f": within {NEAR:.0f} points" if gap <= NEAR else f": not within {NEAR:.0f} points"
        said = [
            f"A {self.column} that the network does not know is classified at {_percent(self.mean(way, 0))}, those it "
            f"knows at {_percent(known)}.",
            f"{n} sample{'s' if n > 1 else ''} a class bring that to {_percent(new)} ({title}, {size:,} bytes), "
            f"{_relation(gap)} the known ones{within}. The old ones are then at {_percent(self.mean(way, n, True))}.",
        ]
        both, title, size = self.best(n, old=True)
        if both != way:
            said.append(f"For new and old alike: {title} ({size:,} bytes), {self._pair(both, n)}.")
        return tuple(said)

    def _of_class(self, n: int) -> tuple[str, ...]:
        way, title, size = self.best(n, old=True)
        said = [
            f"A class added with {n} sample{'s' if n > 1 else ''} is recognised at {_percent(self.mean(way, n))}, and "
            f"the others go from {_percent(self.mean(way, 0, True))} to {_percent(self.mean(way, n, True))} ({title}, "
            f"{size:,} bytes)."
        ]
        for name, title, size in self.ways:
            if name != way:
                said.append(f"{title[0].upper()}{title[1:]} ({size:,} bytes): {self._pair(name, n)}.")
        return tuple(said)

    def _pair(self, way: str, n: int) -> str:
        return f"{_percent(self.mean(way, n))} on the new, {_percent(self.mean(way, n, True))} on the old"

    def as_dict(self) -> dict[str, object]:
        """Return everything for JSON."""
        ways = [{"name": name, "title": title, "bytes": size} for name, title, size in self.ways]
        return {
            "schema": SCHEMA, "tpsgd": __version__, **asdict(self), "ways": ways, "verdict": list(self.verdict()),
        }  # fmt: skip


def spoken_of(counts: Sequence[int]) -> int:
    """Return the number of samples that the verdict speaks of."""
    return max(c for c in counts if c <= max(TARGET_COUNT, counts[0]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _relation(gap: float) -> str:
    return f"{gap:.1f} points below" if gap >= 0.05 else f"{-gap:.1f} points above" if gap <= -0.05 else "level with"

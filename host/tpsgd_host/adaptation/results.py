"""The results of an adaptation study, in numbers and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from tpsgd_host import __version__
from tpsgd_host.adaptation.ways import Choice
from tpsgd_host.names import file_name

SCHEMA = 1  # of the JSON
TARGET_COUNT = 10  # samples per class in the verdict, or the maximum if that is less
NEAR = 3.0  # points of difference within which a new one counts as caught up


@dataclass(frozen=True)
class Adapted:
    """One way to adapt with n samples per class: test accuracies on the new one and on the old ones, one per seed.

    A ``count`` of 0 means before adapting.

    Attributes
    ----------
    tuning : str
        How it was adapted.
    validation : tuple of float
        Accuracy on new and old ones in choosing that tuning.
    """

    way: str
    count: int
    new: tuple[float, ...]
    old: tuple[float, ...]
    tuning: str = ""
    validation: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, way: str, count: int, pairs: Sequence[tuple[float, float]], choice: Choice | None = None) -> Adapted:
        """Return the result for (new, old) pairs of accuracies, one per seed."""
        new, old = tuple(new for new, _ in pairs), tuple(old for _, old in pairs)
        if choice is None:
            return cls(way, count, new, old)
        return cls(way, count, new, old, str(choice.tuning), (choice.new, choice.old))


@dataclass(frozen=True)
class HeldOut:
    """A subject or class that was held out."""

    name: str
    adapted: tuple[Adapted, ...]

    def mean(self, way: str, count: int, old: bool = False) -> float:
        """Return the mean accuracy after adapting, on the new one or on the old ones."""
        (found,) = (a for a in self.adapted if (a.way, a.count) == (way, count))
        return fmean(found.old if old else found.new)


@dataclass(frozen=True)
class AdaptationStudy:
    """A whole study of adapting to new subjects or classes.

    Attributes
    ----------
    kind : {"subject", "class"}
        Whether networks were adapted to a new subject, or a class was added.
    column : str
        What is held out, for readers: speaker, wearer, class.
    names : tuple of str
        All names; ``held_out`` are those that were held out.
    counts : tuple of int
        Samples per class to adapt on.
    ways : tuple of (name, title, bytes)
        Bytes are the RAM for adapting on a board, including kept samples.
    notes : tuple of str
        Notes about the data for the user.
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
        """The beginning of its file names."""
        return file_name(self.problem, "network")

    def mean(self, way: str, count: int, old: bool = False) -> float:
        """Return the mean accuracy after adapting, on the new ones or on the old; ``count`` 0 means before."""
        return fmean(one.mean(way, count, old) for one in self.held_out)

    def best(self, count: int, old: bool) -> tuple[str, str, int]:
        """Return the way that was best in choosing, on the new ones or on new and ``old`` ones alike."""

        def score(way: tuple[str, str, int]) -> float:
            found = [a.validation for h in self.held_out for a in h.adapted if (a.way, a.count) == (way[0], count)]
            return fmean(pair[0] + (pair[1] if old else 0.0) for pair in found)

        return max(reversed(self.ways), key=score)  # of equal ones the last: the more thorough

    def verdict(self) -> tuple[str, ...]:
        """Return the verdict as sentences."""
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
            f"{n} sample{'s' if n > 1 else ''} per class bring that to {_percent(new)} ({title}, {size:,} bytes), "
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
    """Return the number of samples for the verdict."""
    return max(c for c in counts if c <= max(TARGET_COUNT, counts[0]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _relation(gap: float) -> str:
    return f"{gap:.1f} points below" if gap >= 0.05 else f"{-gap:.1f} points above" if gap <= -0.05 else "level with"

"""What a study of a shift found: numbers, and the sentences that they make."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import fmean

from tpsgd_host import __version__

SCHEMA = 1  # of the JSON
TARGET_COUNT = 10  # samples a class that the verdict speaks of, or the most there are
NEAR = 3.0  # points within which a new one counts as regained


@dataclass(frozen=True)
class Adapted:
    """One way to adapt with n samples a class: test accuracies on the new one and on the old ones, one a seed."""

    way: str
    count: int
    tuning: str
    new: tuple[float, ...]
    old: tuple[float, ...]


@dataclass(frozen=True)
class HeldOut:
    """One who was held out.

    Attributes
    ----------
    known : tuple of float
        Accuracy on recordings of the known ones before anything was adapted, one a seed.
    unseen : tuple of float
        Accuracy on the new one, before.
    """

    name: str
    known: tuple[float, ...]
    unseen: tuple[float, ...]
    adapted: tuple[Adapted, ...]


@dataclass(frozen=True)
class Shift:
    """A whole study.

    Attributes
    ----------
    domains : tuple of str
        All there are; ``held_out`` are those that were held out.
    counts : tuple of int
        Samples a class to adapt on.
    ways : tuple of (name, title, bytes)
        Bytes are the RAM that adapting takes on a board, kept samples among them.
    """

    problem: str
    network: str
    column: str
    domains: tuple[str, ...]
    counts: tuple[int, ...]
    seeds: tuple[int, ...]
    ways: tuple[tuple[str, str, int], ...]
    data: str
    held_out: tuple[HeldOut, ...]

    @property
    def known(self) -> float:
        """Mean accuracy on the known ones, before."""
        return fmean(a for one in self.held_out for a in one.known)

    @property
    def unseen(self) -> float:
        """Mean accuracy on the new ones, before."""
        return fmean(a for one in self.held_out for a in one.unseen)

    def mean(self, way: str, count: int, old: bool = False) -> float:
        """Return the mean accuracy after adapting, on the new ones or on the old."""
        found = [a for one in self.held_out for a in one.adapted if (a.way, a.count) == (way, count)]
        return fmean(x for a in found for x in (a.old if old else a.new))

    def verdict(self) -> tuple[str, ...]:
        """Return what a user should know."""
        n = max(c for c in self.counts if c <= TARGET_COUNT)
        samples = f"{n} sample{'s' if n > 1 else ''} a class"
        said = [
            f"A {self.column} that the network has not heard of is classified at {_percent(self.unseen)}, those it "
            f"knows at {_percent(self.known)}."
        ]
        way, title, size = max(self.ways, key=lambda way: self.mean(way[0], n))
        gap = 100 * (self.known - self.mean(way, n))
        within = f"within {NEAR:.0f} points" if gap <= NEAR else f"not within {NEAR:.0f} points"
        said.append(
            f"{samples} bring that to {_percent(self.mean(way, n))} ({title}, {size:,} bytes), "
            f"{_relation(gap)} the known ones: {within}."
        )
        said.append(f"The old ones are then at {_percent(self.mean(way, n, old=True))}.")
        keeper, title, size = max(self.ways, key=lambda way: self.mean(way[0], n) + self.mean(way[0], n, old=True))
        if keeper != way:
            said.append(
                f"For both, {title} ({size:,} bytes) does best: {_percent(self.mean(keeper, n))} on the new, "
                f"{_percent(self.mean(keeper, n, old=True))} on the old."
            )
        return tuple(said)

    def as_dict(self) -> dict[str, object]:
        """Return everything for JSON."""
        ways = [{"name": name, "title": title, "bytes": size} for name, title, size in self.ways]
        return {
            "schema": SCHEMA, "tpsgd": __version__, **asdict(self), "ways": ways, "known": self.known,
            "unseen": self.unseen, "verdict": list(self.verdict()),
        }  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _relation(gap: float) -> str:
    return f"{gap:.1f} points below" if gap >= 0.05 else f"{-gap:.1f} points above" if gap <= -0.05 else "level with"

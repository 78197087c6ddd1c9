"""Many strings in little memory: few different ones, or names made from a number."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt


class Words(Sequence[str]):
    """Strings of which few differ: a number for each string, and each different string once."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        self._codes = array("I")
        self._names: list[str] = []
        self.extend(words)

    def extend(self, words: Iterable[str]) -> None:
        """Append strings."""
        for word in words:
            number = self._numbers.setdefault(word, len(self._names))
            if number == len(self._names):
                self._names.append(word)
            self._codes.append(number)

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._names[code] for code in self._codes[index]]
        return self._names[self._codes[index]]

    def __iter__(self) -> Iterator[str]:
        names = self._names
        return (names[code] for code in self._codes)


class RowNames(Sequence[str]):
    """Names for rows that belong to no recording: a word and the row's number.

    Parameters
    ----------
    word : str
        ``line`` of a text, ``row`` of an array.
    numbers : ndarray of int64, shape (S,)
    """

    def __init__(self, word: str, numbers: npt.NDArray[np.int64]) -> None:
        self.word = word
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return RowNames(self.word, self._numbers[index])
        return f"{self.word} {self._numbers[index]}"


class Picked(Sequence[str]):
    """The strings of a sequence at the positions of an index, in its order.

    Parameters
    ----------
    words : sequence of str
    index : ndarray of int, shape (S,)
    """

    def __init__(self, words: Sequence[str], index: npt.NDArray[np.integer]) -> None:
        self._words = words
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return Picked(self._words, self._index[index])
        return self._words[int(self._index[index])]

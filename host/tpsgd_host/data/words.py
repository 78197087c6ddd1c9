"""Many strings in little memory: few different ones, or names made from a number."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
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


class _Numbered(Sequence[str]):
    """Strings that follow from an array of numbers, shape (S,); a slice holds no string either."""

    def __init__(self, numbers: npt.NDArray[np.integer]) -> None:
        self._numbers = numbers

    @abstractmethod
    def _string(self, number: int) -> str:
        """Return the string of a number."""

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            part = copy(self)
            part._numbers = self._numbers[index]
            return part
        return self._string(int(self._numbers[index]))


class RowNames(_Numbered):
    """Names for rows that belong to no recording: a word and the row's number.

    Parameters
    ----------
    word : str
        ``line`` of a text, ``row`` of an array.
    numbers : ndarray of int64, shape (S,)
    """

    def __init__(self, word: str, numbers: npt.NDArray[np.int64]) -> None:
        super().__init__(numbers)
        self.word = word

    def _string(self, number: int) -> str:
        return f"{self.word} {number}"


class Picked(_Numbered):
    """The strings of a sequence at the positions of an index, in its order.

    Parameters
    ----------
    words : sequence of str
    index : ndarray of int, shape (S,)
    """

    def __init__(self, words: Sequence[str], index: npt.NDArray[np.integer]) -> None:
        super().__init__(index)
        self._words = words

    def _string(self, number: int) -> str:
        return self._words[number]

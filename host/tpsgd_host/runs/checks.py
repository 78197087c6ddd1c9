"""Checks of values read from JSON; each returns whether a value is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any], bool]


def whole(end: int, first: int = 0) -> Check:
    """Return a check for integers from ``first`` to below ``end``."""
    return lambda value: type(value) is int and first <= value < end


def number(highest: float) -> Check:
    """Return a check for numbers from 0 to ``highest``; NaN and integers too large for a float fail."""
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= highest


def boolean(value: object) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def text(value: object) -> bool:
    """Return whether a value is a string."""
    return isinstance(value, str)


def file_path(value: object) -> bool:
    """Return whether a value can be the path of a file."""
    return isinstance(value, str) and value != "" and "\0" not in value


def table(value: object) -> bool:
    """Return whether a value is a JSON object."""
    return isinstance(value, dict)


def one_of(*words: str) -> Check:
    """Return a check for one of some words."""
    return lambda value: isinstance(value, str) and value in words


def matrix(value: object) -> bool:
    """Return whether a value is a square table of counts."""
    count = whole(1 << 53)
    return isinstance(value, list) and all(
        isinstance(row, list) and len(row) == len(value) and all(map(count, row)) for row in value
    )


def optional(check: Check) -> Check:
    """Return a check that also accepts null."""
    return lambda value: value is None or check(value)

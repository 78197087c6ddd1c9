"""Read TOML tables strictly: every error names the line, the value and what is allowed."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tpsgd_host.errors import ConfigError
from tpsgd_host.files import read_file
from tpsgd_host.names import has_control, suggestion

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HEADER = re.compile(r"\s*\[\[?\s*([\w.-]+)\s*\]")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*[=.]""")

NOTHING: Mapping[str, str] = MappingProxyType({})

MAX_NAME = 255  # maximum bytes of a name in the model file

#: Maximum bytes of a TOML, twice those of one with the most columns and 255 bytes for each name.
MAX_TOML = 2 << 20

#: The parser's time grows with the square of a key's parts; in a model's TOML, keys have at most two.
_MANY_PARTS = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){40}""")


class Document:
    """A TOML text and its origin.

    Parameters
    ----------
    text : str
    source : str
        Name of the text, for errors.
    """

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        if long := _MANY_PARTS.search(text):
            line = text.count("\n", 0, long.start()) + 1
            raise ConfigError(
                f"{source}, line {line}: the key has more than 40 parts", "Each key is one word: name = value."
            )
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError: a number or a date that Python cannot represent
            raise ConfigError(
                f"{source} is not TOML: {error}",
                "Compare it with what tpsgd-host new writes: name = value, text in quotes.",
            ) from None

    def line(self, table: str, index: int, key: str) -> int:
        """Return the line of a key in the ``index``-th table of a name, or of the table itself; 0 where not found."""
        inside, seen = table == "", 0
        for number, line in enumerate(self.text.splitlines(), 1):
            header = _HEADER.match(line)
            if header:
                here = header[1] == table
                inside = here and seen == index
                seen += here
                if inside and not key:
                    return number
                if not table and header[1].split(".")[0] == key:
                    return number
            elif inside and (found := _KEY.match(line)) and found[1] == key:
                return number
        return 0

    def table(self, name: str, known: Sequence[str], renamed: Mapping[str, str] = NOTHING) -> Table:
        """Return the table ``[name]``, empty if missing; ``renamed`` maps old names of settings to new ones."""
        values = self.values.get(name, {})
        if not isinstance(values, dict):
            raise self.error("", 0, name, f"{name} must be a table, [{name}]")
        return Table(self, name, 0, values, known, renamed)

    def tables(self, name: str, known: Sequence[str]) -> list[Table]:
        """Return the tables ``[[name]]`` in order."""
        found = self.values.get(name, [])
        if not isinstance(found, list) or not all(isinstance(values, dict) for values in found):
            raise self.error("", 0, name, f"{name} must be a list of tables, each headed [[{name}]]")
        return [Table(self, name, index, values, known) for index, values in enumerate(found)]

    def error(self, table: str, index: int, key: str, message: str, hint: str = "") -> ConfigError:
        """Return the error to raise for a key."""
        line = self.line(table, index, key)
        return ConfigError(f"{self.source}{f', line {line}' if line else ''}: {message}", hint)


class Table:
    """One table; every method reads a key, checks it, and returns the default where it is missing."""

    def __init__(
        self,
        document: Document,
        name: str,
        index: int,
        values: dict[str, Any],
        known: Sequence[str],
        renamed: Mapping[str, str] = NOTHING,
    ) -> None:
        self.document = document
        self.name = name
        self.index = index
        self.values = values
        for key in values:
            if key not in known:
                hint = f"Settings here: {', '.join(known)}.{suggestion(key, known)}"
                if key in renamed:
                    hint = f"Its name is now {renamed[key]}."
                raise self.error(key, f"{self._where(key)} is not a setting", hint)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, message: str, hint: str = "") -> ConfigError:
        """Return the error to raise for ``key``."""
        return self.document.error(self.name, self.index, key, message, hint)

    def refuse(self, keys: Sequence[str], why: str) -> None:
        """Raise ConfigError if one of ``keys`` is set."""
        for key in keys:
            if key in self.values:
                raise self.error(key, f"{self._where(key)} {why}", "Remove the line.")

    def integer(self, key: str, default: int | None, low: int, high: int) -> int:
        """Return a whole number in low..high; a default of None makes the key required."""
        value = self._get(key, default, f"a whole number from {low} to {high}")
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._bad(key, value, f"a whole number from {low} to {high}")
        return value

    def real(self, key: str, default: float, low: float, high: float) -> float:
        """Return a number in low..high."""
        value = self.values.get(key, default)
        if not _is_number(value) or not low <= value <= high:
            raise self._bad(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def reals(self, key: str, default: float, low: float, high: float) -> tuple[float, ...]:
        """Return one number, or a list of numbers, in low..high."""
        value = self.values.get(key, default)
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(_is_number(item) and low <= item <= high for item in listed):
            raise self._bad(key, value, f"a number from {low:g} to {high:g}, or a list of them, one per channel")
        return tuple(float(item) for item in listed)

    def integers(self, key: str, default: tuple[int, ...], low: int, high: int, most: int) -> tuple[int, ...]:
        """Return a list of 1 to ``most`` whole numbers in low..high."""
        value = self.values.get(key, list(default))
        right = isinstance(value, list) and 1 <= len(value) <= most
        if not right or not all(type(item) is int and low <= item <= high for item in value):
            raise self._bad(key, value, f"a list of 1 to {most} whole numbers from {low} to {high}")
        return tuple(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self._bad(key, value, "true or false")
        return value

    def choice(self, key: str, default: str | None, allowed: Sequence[str]) -> str:
        """Return one of some words; a default of None makes the key required."""
        words = " or ".join(f'"{word}"' for word in allowed)
        value = self._get(key, default, words)
        if value not in allowed:
            raise self._bad(key, value, words, suggestion(str(value), allowed).strip())
        return str(value)

    def text(self, key: str, default: str, empty: bool = True) -> str:
        """Return a text that fits into a model file."""
        value = self.values.get(key, default)
        if not _is_name(value) or not (value or empty):
            raise self._bad(key, value, f"a text of {'at most' if empty else '1 to'} {MAX_NAME} bytes on one line")
        return str(value)

    def texts(self, key: str, low: int, high: int) -> tuple[str, ...]:
        """Return a list of different names (numbers become names); empty where the key is missing."""
        value = self.values.get(key)
        if value is None:
            return ()
        allowed = f"a list of {low} to {high} different names in quotes"
        if not isinstance(value, list):
            raise self._bad(key, value, allowed)
        names = tuple(str(item) if type(item) is int else item for item in value)
        if not low <= len(names) <= high or not all(name and _is_name(name) for name in names):
            raise self._bad(key, value, allowed)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise self.error(key, f"{self._where(key)} contains {twice!r} twice", "Give each name only once.")
        return names

    def _get(self, key: str, default: object, allowed: str) -> Any:
        value = self.values.get(key, default)
        if value is None:
            raise self.error("", f"{self._where(key)} is missing", f"Set it to {allowed}.")
        return value

    def _bad(self, key: str, value: object, allowed: str, hint: str = "") -> ConfigError:
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return self.error(key, f"{self._where(key)} is {shown}, but must be {allowed}", hint)

    def _where(self, key: str) -> str:
        if not self.name:
            return key
        return f"{key} in [[{self.name}]] number {self.index + 1}" if self._listed else f"{key} in [{self.name}]"

    @property
    def _listed(self) -> bool:
        return isinstance(self.document.values.get(self.name), list)


def read_document(path: str | Path) -> Document:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        When it cannot be read or is not TOML.
    """
    try:
        text = read_file(path, MAX_TOML).decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {str(path)!r}.", "Create one with: tpsgd-host new NAME") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return Document(text, str(path))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _is_name(value: object) -> bool:
    if not isinstance(value, str) or has_control(value):
        return False
    return len(value.encode(errors="replace")) <= MAX_NAME

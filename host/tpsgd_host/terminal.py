"""All that is printed goes through here, so that text which others wrote can do nothing but be read.

A board's words, the names in a model file, a data file's labels: each could hold what moves the cursor, changes the
window's title or types at the prompt. :func:`clean` takes that out; :func:`echo` and
:class:`tpsgd_host.console.Console` do so with whatever they print. No other file of the host prints.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import unicodedata
from typing import IO, Any

import click

#: A terminal's sequences (ECMA-48), begun by ESC or by one C1 character: CSI; strings (OSC, DCS, SOS, PM, APC) up to
#: their end, or to the end of the line; and what else follows an ESC.
_SEQUENCES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|(?:\x1b[]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]?"
)

#: Join or part letters and emoji; they neither move nor hide anything.
_JOINERS = "\u200c\u200d"

#: What may stay as it is: the most frequent case, and the fastest.
_PLAIN = re.compile(r"[ -~\n]*")


def clean(text: str) -> str:
    """Return ``text`` without terminal sequences, control characters (C0, C1) and what turns the writing direction.

    Letters of every script, emoji and newlines stay; a tab becomes four spaces, every other space one.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_shown, _SEQUENCES.sub("", text.replace("\t", "    "))))


def one_line(text: str) -> str:
    """Return ``text`` cleaned, on one line."""
    return " ".join(clean(text).split())


def _shown(letter: str) -> str:
    if letter == "\n" or letter.isprintable() or letter in _JOINERS:
        return letter
    return " " if unicodedata.category(letter) == "Zs" else ""


def echo(
    text: str = "", *, nl: bool = True, err: bool = False, fg: str | None = None, file: IO[Any] | None = None
) -> None:
    """Print ``text``, cleaned, to standard output; ``err`` to standard error, ``fg`` in a colour."""
    click.secho(clean(text), file=file, nl=nl, err=err, fg=fg)


def paragraph(text: str, *, indent: str = "") -> None:
    """Print prose: on a terminal broken between words, further lines after ``indent``; in a file or pipe on one line.

    Commands and paths are no prose: they stay whole, to be copied.
    """
    if not sys.stdout.isatty():
        echo(text)
        return
    width = max(shutil.get_terminal_size().columns, 20)
    echo(textwrap.fill(clean(text), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))

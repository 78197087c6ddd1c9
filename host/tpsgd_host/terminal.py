"""Print text safely: all output passes through here, so that other people's text can only be read.

A board's output, the names in a model file and a data file's labels could all contain sequences that move the cursor,
change the terminal's title or type at the prompt. :func:`clean` removes them; :func:`echo` and
:class:`tpsgd_host.console.Console` clean everything that they print. No other file of the host prints.
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

#: These join or separate letters and emoji; they neither move nor hide anything.
_JOINERS = "\u200c\u200d"

#: Text that needs no cleaning: the most frequent case, and the fastest.
_PLAIN = re.compile(r"[ -~\n]*")


def clean(text: str) -> str:
    """Return ``text`` without terminal sequences, control characters (C0, C1) and changes of the writing direction.

    Letters of every script, emoji and newlines stay; a tab becomes four spaces, any other space becomes one.
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
    """Print ``text``, cleaned, to standard output; ``err``: to standard error, ``fg``: in a colour."""
    click.secho(clean(text), file=file, nl=nl, err=err, fg=fg)


def paragraph(text: str, *, indent: str = "") -> None:
    """Print prose: wrapped on a terminal, with ``indent`` before continuation lines; on one line in a file or pipe.

    Do not use it for commands and paths, which must stay whole for copying.
    """
    if not sys.stdout.isatty():
        echo(text)
        return
    width = max(shutil.get_terminal_size().columns, 20)
    echo(textwrap.fill(clean(text), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))

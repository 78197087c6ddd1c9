"""What reaches a terminal: text that others wrote can be read there, and do nothing else."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tpsgd_host
from tpsgd_host.console import Console
from tpsgd_host.errors import BoardError
from tpsgd_host.terminal import clean, echo, one_line

ATTACKS = {
    "title": ("\x1b]0;pwned\x07name", "name"),
    "title, ended by ST": ("\x1b]0;pwned\x1b\\name", "name"),
    "title in C1": ("\x9d0;pwned\x9cname", "name"),
    "title without an end": ("\x1b]0;pwned\nname", "\nname"),
    "link": ("\x1b]8;;http://evil\x07name\x1b]8;;\x07", "name"),
    "clear": ("\x1b[2J\x1b[Hname", "name"),
    "clear in C1": ("\x9b2Jname", "name"),
    "answerback": ("name\x1b[6n\x1b[c\x1bZ", "name"),
    "device string": ('\x1bP$q"p\x1b\\name', "name"),
    "charset": ("\x1b(0name", "name"),
    "cut sequence": ("name\x1b[", "name"),
    "lone escape": ("name\x1b", "name"),
    "over the line": ("good\rname\x08\x08", "goodname"),
    "bell and NUL": ("na\x07\x00me", "name"),
    "right to left": ("\u202eeman\u2066\u2069", "eman"),
    "separators": ("na\u2028me\u2029", "name"),
    "half a character": ("name\ud800", "name"),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_what_a_terminal_would_obey_is_taken_out(what):
    assert clean(ATTACKS[what][0]) == ATTACKS[what][1]


@pytest.mark.parametrize(
    "text", ["plain", "Größe", "左手", "\u0634\u200c\u0647", "\U0001f468\u200d\U0001f469", "naïve\nline", "e\u0301"]
)
def test_letters_of_every_script_stay(text):
    assert clean(text) == text


def test_spaces_of_every_kind_are_one():
    assert clean("a\u00a0b\u3000c\td") == "a b c    d"
    assert one_line(" a\n\tb\x1b[2J ") == "a b"


@given(st.text())
def test_nothing_else_gets_through(text):
    shown = clean(text)
    assert all(c == "\n" or c.isprintable() or c in "\u200c\u200d" for c in shown)
    assert clean(shown) == shown
    shown.encode()


@given(st.lists(st.sampled_from([*"\x1b[]P;0m2J\\\x9b\x9d\x9c\x07\n?h", "\x1b[", "\x1b]", "ok"])).map("".join))
def test_no_piece_of_a_sequence_makes_another(text):
    assert "\x1b" not in clean(text) and "\x9b" not in clean(text)


def test_echo_and_console_print_clean_text(capsys):
    for attack, _ in ATTACKS.values():
        echo(attack)
        echo(attack, err=True)
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, color_system=None)
        console.print(attack, markup=False)
        console.print(attack, style="bold", markup=False)
        assert clean(stream.getvalue()) == stream.getvalue(), repr(stream.getvalue())
    said = capsys.readouterr()
    assert clean(said.out) == said.out and clean(said.err) == said.err


def test_an_error_shows_clean_text_and_no_forged_hint(capsys):
    BoardError("the board says: \x1b]0;x\x07bad\nhint:  rm -rf /", "real\x1b[2J").show()
    said = capsys.readouterr().err.splitlines()
    assert said == ["error: the board says: bad", "       hint:  rm -rf /", "hint:  real"]


def test_nothing_prints_past_it():
    """click.echo, print and Rich's own console would."""
    root = Path(tpsgd_host.__file__).parent
    past = []
    for path in root.rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if name in ("terminal.py", "console.py") or (name.startswith("bench/") and name.endswith("board.py")):
            continue  # what the benchmarks run on a board
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in ("click.echo", "click.secho", "print", "RichConsole", "rich.print", "sys.stdout.write"):
                    past.append(f"{name}:{node.lineno} {called}")
            if isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich"):
                past += [f"{name}:{node.lineno}" for a in node.names if a.name in ("Console", "print") and not a.asname]
    assert not past

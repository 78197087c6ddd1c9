"""A lesson in a terminal: from recordings to a board that knows the words, every step as a user types it."""

from __future__ import annotations

import asyncio
import sys

import pexpect
import pytest
from commands import call
from sensors import write_gestures

from tpsgd_host.data.load import load_samples
from tpsgd_host.data.wav import find_recordings
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.teaching.begin import begin
from tpsgd_host.teaching.teach import Source, open_lesson

pytest.importorskip("textual")

BOUND = 120  # seconds, on a machine that does much else


def typed(*arguments, size=(24, 80)):
    """Type a command into a terminal."""
    return pexpect.spawn(
        sys.executable, ["-m", "tpsgd_host", *map(str, arguments)], dimensions=size, encoding="utf-8", timeout=BOUND
    )


def run(*arguments):
    """Type a command and wait for its end; return what it printed."""
    child = typed(*arguments)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return child.before


def leaves(child, code=0):
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code, child.before
    return child.before


def test_from_recorded_words_to_a_board_that_is_taught_more(spoken, interpreter):
    assert "12 recordings added to set" in run("record", "set", "--from", "said", "--fast")
    run("new", "words", "--data", "set", "--no-tune")
    run("quantize", "words.toml", "--data", "set")
    run("flash", "words.tpsgd", "--board-dir", "board")
    child = typed("teach", "--play", "said", "--pause", "1", "--passes", "0", "--board-dir", "board")
    child.expect("1-2 teach the word that it heard")
    child.expect("heard (low|high), ")
    child.send("1")
    child.expect("taught (high|low):")  # classes are in the order of their names
    first = child.match.group(1)
    child.send("u")
    child.expect(f"taken back: {first}")
    child.send("2")
    child.expect("taught (high|low):")
    second = child.match.group(1)
    child.send("p")
    child.expect("practised 10 samples")
    child.send("s")
    child.expect("saved: the board still knows it")
    child.send("q")
    said = leaves(child)
    assert f"1 taught: high {int(second == 'high')}, low {int(second == 'low')}" in said
    assert "kept as data: taught/words" in said and "not saved" not in said
    assert {first, second} == {"low", "high"}
    assert [one.label for one in find_recordings(spoken / "taught" / "words")] == [second]
    assert "12 samples classified" in run("monitor", "--data", "set", "--board-dir", "board")


def test_from_recorded_gestures_to_a_board_that_is_taught_by_their_labels(tmp_path, monkeypatch, interpreter):
    monkeypatch.chdir(tmp_path)
    write_gestures(tmp_path / "g.csv", 12)
    run("new", "moves", "--data", "g.csv", "--motion", "--no-tune")
    run("record", "set.csv", "--from", "g.csv", "--model", "moves.toml", "--fast")
    run("quantize", "moves.toml", "--data", "set.csv")
    run("flash", "moves.tpsgd", "--board-dir", "board")
    flags = ("--as-labelled", "--samples", 4, "--board-dir", "board")
    child = typed("teach", "--play", "set.csv", *flags, size=(40, 140))
    child.expect("all was played: q ends")
    child.sendintr()
    child.expect("is lost when its power goes")
    child.sendintr()
    said = leaves(child)
    assert "12 words heard, 8 taught: a 4, b 4" in said and "not saved" in said
    assert "right among 4 that it was never taught: 4, 100.0%" in said
    assert len(load_samples("taught/moves.csv", load_model(tmp_path / "moves.tpsgd").layout)) == 8
    assert "8 samples classified" in run("monitor", "--data", "taught/moves.csv", "--board-dir", "board")


def test_the_screen_fits_and_asks_before_anything_is_lost(spoken, interpreter):
    from tpsgd_host.teaching.screen import Leaving, LessonApp

    begun = begin(("low", "high"), "sound")
    flash(begun.path, folder=spoken / "board")

    async def lesson(scene):
        app = LessonApp(scene, "words: low, high")

        async def until(holds):
            for _ in range(BOUND * 20):
                if holds() or app.error:
                    break
                await pilot.pause(0.05)
            assert holds() and not app.error

        async with app.run_test(size=(60, 20)) as pilot:
            progress = scene.lesson.progress
            await until(lambda: progress.note == "all was played: q ends")
            for size in ((140, 40), (80, 24), (60, 20)):
                await pilot.resize_terminal(*size)
                app.show()
                await pilot.pause()
                state, bars = app.query_one("#state").region, app.query_one("#bars").region
                assert 0 < bars.bottom <= state.y < state.bottom <= size[1] - 1 and state.width == size[0], size
            await pilot.press("1", "u", "p")  # the labels teach, not the keys
            await pilot.press("q")
            await until(lambda: isinstance(app.screen, Leaving))
            await pilot.press("escape")
            await until(lambda: not isinstance(app.screen, Leaving))
            await pilot.press("q", "y")
            await until(lambda: not app.is_running)
        return app

    source = Source(spoken / "said", samples=2)
    with open_lesson(source, folder=spoken / "board", data=spoken / "kept", passes=2) as scene:
        app = asyncio.run(lesson(scene))
        progress = scene.lesson.progress
    assert app.error is None and not progress.unsaved
    assert progress.counts == {"low": 2, "high": 2} and len(progress.tested) == 8
    assert progress.seen == 4 + 2 * 4


def test_without_textual_the_screen_says_what_to_install(spoken):
    (spoken / "textual.py").write_text("raise ImportError('gone')")
    child = typed("teach", "--play", "said")
    assert "pip install 'tpsgd[teach]'" in leaves(child, 10)
    assert "no model" not in call("teach", "--help")

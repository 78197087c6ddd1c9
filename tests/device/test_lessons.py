"""Lessons and tapes on an emulated RP2040 and an emulated ESP32, end to end over their consoles.

You bring the emulators, see ``tpsgd_host/bench/emulated``. A chip takes a minute or two.
"""

from contextlib import contextmanager

import lessons
import pytest

from tpsgd_host.bench.emulated import esp32, rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard

pytestmark = pytest.mark.xdist_group("lessons")  # one worker: a board is started for all tests of a chip

#: Bytes of heap that must be left in a lesson. An ESP32 has about 160 KB, an RP2040 about 240.
LEFT = {"RP2040": 120_000, "ESP32": 40_000}


@contextmanager
def flashed_esp32(folder):
    """Switch on an ESP32 whose flash can be written: it does not count instructions."""
    image = folder / "flash.bin"
    with open(esp32.FIRMWARE, "rb") as firmware:
        esp32.write_image(image, firmware.read())
    with EmulatedBoard(esp32.command(image, "-serial", "stdio")) as board:
        yield board


@pytest.fixture(scope="module", params=["RP2040", "ESP32"])
def lesson(request, data_dir, tmp_path_factory):
    """Return (chip, board, model's path, what is played, its labels)."""
    chip = rp2040 if request.param == "RP2040" else esp32
    if chip.missing() is not None:
        pytest.skip(str(chip.missing()))
    folder = tmp_path_factory.mktemp("lesson")
    pcm, labels = lessons.sound(data_dir)
    with rp2040.RP2040() if chip is rp2040 else flashed_esp32(folder) as board:
        yield request.param, board, lessons.install(board, folder, pcm), pcm, labels


def test_a_chip_learns_what_it_is_taught_as_a_learner_here_does(lesson, record_property):
    chip, board, path, pcm, labels = lesson
    crc, (used, free) = lessons.there(board, labels)
    print(f"{chip}: in a lesson {used} bytes of heap are used, {free} free")
    record_property("free", free)
    assert crc == lessons.here(path, pcm, labels)
    assert free > LEFT[chip]


def test_a_tape_is_what_was_played(lesson):
    _, board, _, pcm, _ = lesson
    values, overruns = lessons.taped(board, pcm, compressed=False)
    assert not overruns
    assert values.tobytes() == pcm.tobytes()


def test_a_compressed_tape_is_what_the_host_compresses(lesson):
    _, board, _, pcm, _ = lesson
    values, overruns = lessons.taped(board, pcm, compressed=True)
    assert not overruns
    assert values.tolist() == lessons.compressed_here(pcm).tolist()

"""Lessons and tapes on an emulated RP2040 and an emulated ESP32, end to end over their consoles.

You bring the emulators, see ``tpsgd_host/bench/emulated``, and ``quick.py`` for the ESP32's flash. A chip takes a
minute or two.
"""

from contextlib import contextmanager
from pathlib import Path

import lessons
import pytest
import quick

from tpsgd_host.bench.emulated import esp32, rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard

pytestmark = pytest.mark.xdist_group("lessons")  # one worker: a board is started for all tests of a chip

#: Bytes of heap that must be left in a lesson. An ESP32 has about 160 KB, an RP2040 about 240.
LEFT = {"RP2040": 120_000, "ESP32": 40_000}


@contextmanager
def an_rp2040(folder, model, pcm):
    """Switch on an RP2040 with the files in its flash, from 640 KB on."""
    files = lessons.file_system(folder, model, "armv6m", 352, pcm)
    image = folder / "flash.uf2"
    image.write_bytes(Path(rp2040.UF2).read_bytes() + lessons.uf2(files, 0x100A0000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rp2040, "UF2", str(image))
        with rp2040.RP2040() as board:
            yield board


@contextmanager
def an_esp32(folder, model, pcm):
    """Switch on an ESP32 with the files in its flash, from 2 MB on. Its clock counts instructions."""
    files = lessons.file_system(folder, model, "xtensawin", 512, pcm)
    image = folder / "flash.bin"
    esp32.write_image(image, Path(esp32.FIRMWARE).read_bytes())
    with open(image, "r+b") as flash:
        flash.seek(2 << 20)
        flash.write(files)
    quick.start(image)
    with EmulatedBoard(esp32.command(image, "-serial", "stdio", *quick.COUNTING)) as board:
        yield board


CHIPS = {"RP2040": (rp2040, an_rp2040), "ESP32": (esp32, an_esp32)}


@pytest.fixture(scope="module", params=CHIPS)
def lesson(request, interpreter, data_dir, tmp_path_factory):
    """Return (chip, board, model's path, what is played, its labels)."""
    chip, switched_on = CHIPS[request.param]
    if chip.missing() is not None:
        pytest.skip(str(chip.missing()))
    folder = tmp_path_factory.mktemp("lesson")
    pcm, labels = lessons.sound(data_dir)
    model = lessons.model(folder)
    with switched_on(folder, model, pcm) as board:
        yield request.param, board, model, pcm, labels


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

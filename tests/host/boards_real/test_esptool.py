"""ESP32 firmware: images that esptool accepts are accepted, and bad ones are refused before it runs."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import esp_image

from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.errors import BoardError, ConfigError, DependencyError
from tpsgd_host.flashing import firmware, programs
from tpsgd_host.flashing.espimage import check_chip, read_image

SEGMENTS = [(0x3FFF0000, bytes(range(64))), (0x40080000, b"\x12\x34\x56\x78" * 40)]
CHIPS = {"esp32": 0, "esp32s2": 2, "esp32s3": 9, "esp32c3": 5}


def refused(data, match):
    with pytest.raises(ConfigError, match=match) as caught:
        read_image(bytes(data), "f.bin")
    assert caught.value.hint


@pytest.fixture
def needs_esptool():
    if find_spec("esptool") is None:
        pytest.skip("pip install esptool runs this test")


@pytest.mark.parametrize("name", ["esp32", "esp32c3"])
def test_esptool_accepts_the_images_of_these_tests(tmp_path, name, needs_esptool):
    path = tmp_path / "firmware.bin"
    path.write_bytes(esp_image(CHIPS[name], SEGMENTS))
    text = programs.run(firmware.image_info_command(path))
    assert "valid" in text.lower()
    assert f"{CHIPS[name]} ({load_profile(name).chip})" in text
    assert firmware.check_firmware(path, load_profile(name)).startswith(f"{path.stat().st_size} bytes for chip")


def test_esptool_and_the_reader_refuse_the_same_damage(tmp_path, needs_esptool):
    path = tmp_path / "firmware.bin"
    data = bytearray(esp_image(0, SEGMENTS))
    data[40] ^= 1
    path.write_bytes(data)
    refused(data, "checksum")
    told = subprocess.run(firmware.image_info_command(path), capture_output=True, text=True, check=False)
    assert "invalid" in told.stdout.lower()


@pytest.mark.parametrize(("name", "number"), CHIPS.items())
def test_profiles_know_the_chips_numbers(name, number):
    board = load_profile(name)
    assert board.chip_id == number
    check_chip(read_image(esp_image(number, SEGMENTS)), board.chip_id, name)
    with pytest.raises(ConfigError, match=f"is for chip 77, but {name} has chip {number}"):
        check_chip(read_image(esp_image(77, SEGMENTS)), board.chip_id, name)


def test_profiles_say_what_esptool_says(needs_esptool):
    # in a process of its own: esptool is licensed under the GPL and is never imported here
    program = (
        "from esptool.targets import CHIP_DEFS\n"
        "print({name: chip.IMAGE_CHIP_ID for name, chip in CHIP_DEFS.items() if name != 'esp8266'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    theirs = eval(done.stdout)
    assert {name: theirs[name] for name in CHIPS} == CHIPS


def test_what_follows_the_image_is_left_to_esptool():
    data = esp_image(0, SEGMENTS)
    assert read_image(data + b"\xff" * 5000).length == len(data)
    assert read_image(esp_image(0, SEGMENTS, hashed=False)).length == len(data) - 32


def test_short_and_wrong_files_are_refused():
    data = esp_image(0, SEGMENTS)
    refused(b"", "not ESP32 firmware")
    refused(b"UF2\n" + data, "not ESP32 firmware")
    refused(data[:20], "not ESP32 firmware")
    refused(data[:30], "cut off before segment 0")
    refused(data[:60], "cut off in segment 0: 36 bytes are missing")
    refused(data[:-40], "cut off")
    refused(data[:-1], "cut off after")
    refused(data[:-1] + b"\0", "SHA-256")
    refused(bytes([data[0], 99]) + data[2:], "99 segments")


@given(st.data())
@settings(max_examples=300)
def test_a_changed_byte_is_noticed(data):
    raw = bytearray(esp_image(0, SEGMENTS))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    if at == 23 and raw[at] == 0:
        return  # the header now says that there is no hash
    refused(raw, "damaged|cut off|not ESP32")


@given(st.binary(max_size=600))
@settings(max_examples=300)
def test_noise_never_crashes_the_reader(noise):
    for data in (noise, b"\xe9" + noise, esp_image(0, SEGMENTS)[:24] + noise):
        try:
            read_image(data)
        except ConfigError:
            pass


def test_the_commands_are_those_of_micropythons_instructions(tmp_path, needs_esptool):
    path = tmp_path / "f.bin"
    shown = [programs.shown(c) for c in firmware.esptool_commands(path, load_profile("esp32"), "/dev/ttyUSB0", True)]
    assert shown == [
        "esptool --chip esp32 --port /dev/ttyUSB0 erase-flash",
        f"esptool --chip esp32 --port /dev/ttyUSB0 --baud 460800 write-flash 0x1000 {path}",
    ]
    offsets = {name: load_profile(name).offset for name in CHIPS}
    assert offsets == {"esp32": 0x1000, "esp32s2": 0x1000, "esp32s3": 0, "esp32c3": 0}
    for command in ("write-flash", "erase-flash", "image-info"):
        help_text = subprocess.run([*programs.esptool(), command, "--help"], capture_output=True, text=True, check=True)
        assert command in help_text.stdout


def test_a_port_without_a_board_is_told(tmp_path, needs_esptool):
    path = tmp_path / "f.bin"
    path.write_bytes(esp_image(0, SEGMENTS))
    from tpsgd_host.errors import PortError

    with pytest.raises((PortError, BoardError), match="esptool"):
        firmware.write_esp32(path, load_profile("esp32"), "/dev/ttyNOPE", False, print)


def test_without_esptool_the_command_to_install_it_is_told(monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    with pytest.raises(DependencyError) as caught:
        programs.esptool()
    assert caught.value.hint == "pip install esptool"
    assert caught.value.exit_code == 10


def test_a_program_that_hangs_is_ended():
    with pytest.raises(BoardError, match=r"did not end within"):
        programs.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)

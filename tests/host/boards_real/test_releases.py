"""Firmware that is fetched: from a local HTTP server that also lies, stops half-way and goes away."""

from __future__ import annotations

import hashlib
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources

import pytest
from bootdrive import BootDrive
from commands import call, fails
from images import esp_image, uf2

from tpsgd_host.boards.profiles import load_profile, load_profiles
from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing import real, releases
from tpsgd_host.flashing.firmware import find_firmware, judge_firmware, write_uf2
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.probe import parse_facts
from tpsgd_host.flashing.releases import known_release, parse_releases
from tpsgd_host.flashing.remote import Remote

IMAGE = esp_image(0, [(0x3FFF0000, bytes(range(64)) * 100)])


class Server:
    """An HTTP server on this machine; ``files``: name and bytes; ``short``: bytes that it keeps back."""

    def __init__(self):
        self.files, self.asked, self.short = {}, [], 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rpartition("/")[2]
                server.asked.append(name)
                data = server.files.get(name)
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write((data or b"")[: len(data or b"") - server.short])

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/firmware"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server in the place of micropython.org, and an empty cache."""
    served = Server()
    monkeypatch.setenv("TPSGD_FIRMWARE_URL", served.url)
    monkeypatch.setenv("TPSGD_FIRMWARE_CACHE", str(tmp_path / "cache"))
    yield served
    served.close()


def fetched(version="1.26.1", board="esp32", ask=lambda question: None):
    """Fetch a release; return its path and what was told."""
    told, profile = [], load_profile(board)
    release = known_release(profile, version)
    path = releases.fetch(
        release,
        lambda data: judge_firmware(data, release.name, profile),
        ask=ask,
        tell=told.append,
        progress=lambda *step: None,
    )
    return path, told


def test_the_files_have_the_names_that_micropython_gives_them(monkeypatch):
    monkeypatch.delenv("TPSGD_FIRMWARE_URL", raising=False)
    base = "https://micropython.org/resources/firmware/"
    assert known_release(load_profile("esp32")).url == base + "ESP32_GENERIC-20250911-v1.26.1.bin"
    assert known_release(load_profile("esp32c3"), "v1.29.0").url == base + "ESP32_GENERIC_C3-20260824-v1.29.0.bin"
    assert known_release(load_profile("pico"), "1.28.0").name == "RPI_PICO-20260406-v1.28.0.uf2"
    assert known_release(load_profile("pico_w"), "1.27.0", "pico_w").name == "RPI_PICO_W-20251209-v1.27.0.uf2"
    assert known_release(load_profile("pico2"), "1.28.0", "pico2").name == "RPI_PICO2-20260406-v1.28.0.uf2"
    for name in ("virtual", "rp2040-emulated", "rp2040-circuitpython", "microbit"):
        assert known_release(load_profile(name)) is None


def test_the_table_names_boards_that_there_are():
    known = {name for board in load_profiles().values() for name in (board.name, *board.aliases)}
    assert set(releases.releases().boards) <= known


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (('"20250911"', '"yesterday"'), "dates"),
        (('"ESP32_GENERIC"', '"../x"'), "boards"),
        (("https://", "http://"), "not an https address"),
        (('release = "1.26.1"', 'release = "9.9"'), "has no date"),
    ],
)
def test_the_table_is_checked(change, match):
    text = (resources.files("tpsgd_host.flashing") / releases.TABLE).read_text()
    assert change[0] in text
    with pytest.raises(ConfigError, match=match):
        parse_releases(text.replace(*change))


def test_what_is_no_file_and_no_release_is_told_with_where_to_get_it():
    with pytest.raises(ConfigError, match=r"firmware 1\.20\.0 for esp32 is not known") as caught:
        find_firmware("v1.20.0", load_profile("esp32"))
    assert "ESP32_GENERIC-DATE-v1.20.0.bin from https://micropython.org/download/ESP32_GENERIC/" in caught.value.hint
    assert "--firmware FILE" in caught.value.hint
    for name, word in (
        ("pico", "RPI_PICO-DATE-v1.20.0.uf2"),
        ("rp2040-circuitpython", "https://circuitpython.org/downloads"),
        ("esp32s2-circuitpython", "the .bin of your board, 1.20.0"),
        ("rp2040-emulated", "leave out --firmware"),
    ):
        with pytest.raises(ConfigError) as caught:
            find_firmware("1.20.0", load_profile(name))
        assert word in caught.value.hint
    with pytest.raises(ConfigError, match=r"there is no firmware file nope\.bin"):
        find_firmware("nope.bin", load_profile("esp32"))


def test_a_release_is_fetched_once_its_sum_shown_and_remembered(server, tmp_path):
    name = "ESP32_GENERIC-20250911-v1.26.1.bin"
    server.files[name] = IMAGE
    digest = hashlib.sha256(IMAGE).hexdigest()
    path, told = fetched()
    assert path.read_bytes() == IMAGE
    assert f"{len(IMAGE):,} bytes, fetched; SHA-256 {digest}, seen for the first time" in told[0]
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "cache", capture_output=True, text=True, check=True
    )
    assert f"{name}: OK" in done.stdout
    server.close()  # offline from here on
    again, told = fetched(ask=lambda question: pytest.fail(question))
    assert again == path
    assert "as remembered" in told[0]
    assert server.asked == [name]


def test_a_file_that_changes_afterwards_is_refused(server):
    name = "ESP32_GENERIC-20250911-v1.26.1.bin"
    server.files[name] = IMAGE
    path, _ = fetched()
    path.write_bytes(IMAGE[:-1] + b"?")
    with pytest.raises(
        ConfigError, match="has changed since it was fetched.*but the remembered one is " + sum_of(IMAGE)
    ):
        fetched()
    path.unlink()
    server.files[name] = esp_image(0, [(0x3FFF0000, bytes(64))])
    with pytest.raises(ConfigError, match="is not the same file as the first time"):
        fetched()
    assert not path.exists()
    server.files[name] = IMAGE
    assert fetched()[0].read_bytes() == IMAGE


def sum_of(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("data", "short", "match"),
    [
        (None, 0, "Not Found"),
        (b"<html>maintenance</html>", 0, "not ESP32 firmware"),
        (esp_image(5, [(0x3FFF0000, bytes(64))]), 0, "is for chip 5"),
        (IMAGE, 100, r"ended after|IncompleteRead"),
        (bytes(33 << 20), 0, "larger than 32 MB"),
    ],
)
def test_what_is_no_firmware_is_neither_kept_nor_remembered(server, tmp_path, data, short, match):
    if data is not None:
        server.files["ESP32_GENERIC-20250911-v1.26.1.bin"] = data
    server.short = short
    with pytest.raises(ConfigError, match=match):
        fetched()
    assert [item.name for item in (tmp_path / "cache").glob("*")] == []


def test_offline_says_where_the_file_can_be_put(server, tmp_path):
    server.close()
    with pytest.raises(ConfigError, match=r"cannot fetch http://127") as caught:
        fetched()
    assert str(tmp_path / "cache") in caught.value.hint
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "ESP32_GENERIC-20250911-v1.26.1.bin").write_bytes(IMAGE)
    assert fetched()[0].read_bytes() == IMAGE


def test_nothing_is_fetched_without_a_yes(server):
    def no(question):
        raise ConfigError(question)

    with pytest.raises(ConfigError, match=r"Fetch http://.*/ESP32_GENERIC-20250911-v1\.26\.1\.bin\?"):
        fetched(ask=no)
    assert server.asked == []


def test_a_dry_run_fetches_nothing(server, model_file):
    text = call("flash", model_file, "-b", "esp32", "-p", "/dev/ttyNOPE", "--firmware", "1.28.0", "--dry-run")
    assert f"ask, then fetch {server.url}/ESP32_GENERIC-20260406-v1.28.0.bin" in text
    assert server.asked == []


def test_a_bare_board_gets_its_firmware_after_a_yes(server, model_file, terminal_board, monkeypatch):
    server.files["ESP32_GENERIC-20250911-v1.26.1.bin"] = IMAGE
    speaks, written, asked, told = Remote.facts, [], [], []
    # The ROM loader is stood in for: what it writes makes the board answer.
    monkeypatch.setattr(Remote, "facts", lambda self: speaks(self) if written else parse_facts("ets Jul 29 2019"))
    monkeypatch.setattr(real, "write_esp32", lambda path, *a: written.append(path.read_bytes()))
    report = flash(model_file, "esp32", port=terminal_board.path, ask=asked.append, tell=told.append)
    assert written == [IMAGE]
    assert [question.split()[0] for question in asked] == ["Fetch", "Write"]
    assert any(sum_of(IMAGE) in line for line in told)
    assert (report.firmware, report.started) == ("ESP32_GENERIC-20250911-v1.26.1.bin", True)
    flash(model_file, "esp32", port=terminal_board.path, ask=asked.append)  # it answers now: nothing is asked
    assert len(asked) == 2


def test_a_bare_pico_is_found_by_its_drive_and_by_its_port_afterwards(
    server, model_file, terminal_board, tmp_path, monkeypatch
):
    data = uf2(bytes(5000))
    server.files["RPI_PICO-20250911-v1.26.1.uf2"] = data
    boot = BootDrive(tmp_path / "drive", size=len(data))
    honest = write_uf2
    monkeypatch.setattr(real, "find_drives", boot.found)
    monkeypatch.setattr(real, "write_uf2", lambda *a: honest(*a, drives=boot.found))
    monkeypatch.setattr(real, "only_port", lambda board: terminal_board.path if boot.taken else "")
    asked = []
    report = flash(model_file, "pico", ask=asked.append)
    assert boot.taken == data
    assert (report.firmware, report.place, len(asked)) == ("RPI_PICO-20250911-v1.26.1.uf2", terminal_board.path, 2)


def test_deploy_only_never_fetches(server, model_file, terminal_board, monkeypatch):
    monkeypatch.setattr(Remote, "facts", lambda self: parse_facts("ets Jul 29 2019"))
    text = fails(7, "flash", model_file, "-b", "esp32", "-p", terminal_board.path, "--deploy-only", "--yes")
    assert "does not answer like MicroPython" in text
    assert server.asked == []


def test_a_board_that_nobody_can_reset_is_told_how_to_go_on(server, model_file, terminal_board, monkeypatch):
    server.files["ESP32_GENERIC-20250911-v1.26.1.bin"] = IMAGE
    monkeypatch.setattr(Remote, "facts", lambda self: parse_facts("ets Jul 29 2019"))
    monkeypatch.setattr(real, "write_esp32", lambda *a: None)
    monkeypatch.setattr(real, "START_WITHIN", 0.2)
    text = fails(7, "flash", model_file, "-b", "esp32", "-p", terminal_board.path, "--yes")
    assert "the firmware was written, but the board does not answer" in text
    assert re.search(r"press RESET \(EN\) on it, then: tpsgd-host flash .*--deploy-only", text)

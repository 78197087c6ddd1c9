"""A fleet over a network: a server and boards that join it, each a program of its own, over HTTPS."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import call
from motions import write_motions
from processes import board_pids

from tpsgd_host.model.modelfile import load_model

USERS = ("ann", "bob", "cyd")
PATIENCE = 120.0

pytest.importorskip("flwr", reason="Flower is not installed: pip install 'tpsgd[fleet]'")


@pytest.fixture
def fleet(tmp_path, monkeypatch, interpreter):
    """A file of all users' recordings, one of each user's, a network, and a virtual board for each user."""
    monkeypatch.chdir(tmp_path)
    write_motions(tmp_path / "all.csv", 54, 1, wearers=USERS)
    with open("all.csv", newline="") as file:
        header, *rows = csv.reader(file)
    at = header.index("wearer")
    for user in USERS:
        with open(f"{user}.csv", "w", newline="") as file:
            csv.writer(file).writerows([header, *(row for row in rows if row[at] == user)])
    call(
        "new", "motion", "--data", "all.csv", "--network", "rnn", "--hidden", "8", "--steps", "10",
        "--columns", "ax,ay",
    )  # fmt: skip
    call("quantize", "motion.toml", "--data", "all.csv")
    for user in USERS:
        call("flash", "motion.tpsgd", "--board", "virtual", "--board-dir", f"boards/{user}")
    return Programs()


class Programs:
    """Programs that run side by side, each with a file of what it prints."""

    def __init__(self):
        self._running = {}
        self.port = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._running.values():
            process.kill()
            process.wait()

    def start(self, name, *words):
        with open(f"{name}.log", "w") as log:
            command = [sys.executable, "-m", "tpsgd_host", "fleet", *words]
            self._running[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def serve(self, *options):
        self.start(
            "server", "serve", "--model", "motion.tpsgd", "--boards", "3", "--host", "127.0.0.1", "--listen", "0",
            *options,
        )  # fmt: skip
        self.port = int(self.said("server", r"--server \S+:(\d+) "))

    def join(self, user, *options, ca="certificates/ca.pem"):
        self.start(
            user, "join", "--server", f"localhost:{self.port}", "--ca", ca, "--name", user, "--data", f"{user}.csv",
            "--model", "motion.tpsgd", "--port", "virtual", "--board-dir", f"boards/{user}", *options,
        )  # fmt: skip

    def said(self, name, pattern):
        """Return what a program says that matches, as soon as it does."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := re.search(pattern, Path(f"{name}.log").read_text()):
                return found[1]
            assert self._running[name].poll() is None, Path(f"{name}.log").read_text()
            time.sleep(0.05)
        raise AssertionError(Path(f"{name}.log").read_text())

    def end(self, name):
        """Return a program's exit code and what it said."""
        code = self._running[name].wait(PATIENCE)
        return code, Path(f"{name}.log").read_text()

    def kill(self, name):
        self._running[name].kill()


def board_of(user):
    """Return the number of the process of a user's virtual board, as soon as there is one."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := board_pids(Path("boards", user).absolute()):
            return found[0]
    raise AssertionError(f"{user} has no board")


def test_boards_that_join_end_with_the_simulations_average(fleet):
    options = ("--rounds", "3", "--own", "2")
    alone = json.loads(
        call("fleet", "run", "--data", "all.csv", "--model", "motion.tpsgd", "--by", "wearer", *options, "--json",
             "--out", "simulated", "--no-baselines")
    )  # fmt: skip
    with fleet as programs:
        programs.serve(*options)
        for user in USERS:
            programs.join(user)
        for user in USERS:
            code, text = programs.end(user)
            assert code == 0, text
            assert re.findall(r"round (\d): learned", text) == ["1", "2", "3"]
        code, text = programs.end("server")
        assert code == 0, text
    there = json.loads(Path("fleet/fleet.json").read_text())
    assert [one["crc"] for one in there["rounds"]] == [one["crc"] for one in alone["rounds"]]
    assert [(one["user"], one["fleet"], one["own"]) for one in there["users"]] == [
        (one["user"], one["fleet"], one["own"]) for one in alone["users"]
    ]
    assert os.stat("certificates/server.key").st_mode & 0o777 == 0o600


def test_rounds_end_without_a_gateway_that_is_killed_and_a_board_that_hangs(fleet):
    with fleet as programs:
        programs.serve("--rounds", "4", "--own", "0", "--timeout", "8")
        for user in USERS:
            programs.join(user)
        programs.said("server", r"(round 1/4: 3 of 3 boards)")
        os.kill(board_of("bob"), signal.SIGSTOP)
        programs.said("server", r"(without bob: )")
        programs.kill("ann")
        code, text = programs.end("server")
    assert code == 0, text
    rounds = json.loads(Path("fleet/fleet.json").read_text())["rounds"]
    assert [one["asked"] for one in rounds] == [3, 3, 3, 3]
    assert any("bob" in one["missing"] for one in rounds), rounds
    assert rounds[-1]["missing"].keys() >= {"ann"}, rounds
    assert all(one["answered"] for one in rounds), "cyd answers in every round"


@pytest.mark.parametrize("junk", ["no weights", "bytes that are no array", "a name for a number"])
def test_junk_from_a_board_is_refused_and_the_server_goes_on(fleet, junk):
    from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
    from flwr.clientapp import ClientApp

    from tpsgd_host.fleet import supernode

    app = ClientApp()

    def answer(message, **records):
        return Message(RecordDict(records), reply_to=message)

    @app.query()
    def meet(message, context):
        return answer(message, facts=ConfigRecord({"name": "eve\n", "model": load_model("motion.tpsgd").crc}))

    @app.query("over")
    def over(message, context):
        return answer(message)

    @app.train()
    def train(message, context):
        weights = Array("uint16", (3,), "numpy.ndarray", b"junk" if "bytes" in junk else b"")
        arrays = ArrayRecord({"weights": weights} if "bytes" in junk else {})
        if junk == "a name for a number":
            return answer(message, weights=message.content["weights"], facts=ConfigRecord({"samples": "many"}))
        return answer(message, weights=arrays, facts=ConfigRecord({"samples": 5}))

    with fleet as programs:
        programs.serve("--rounds", "1", "--own", "0", "--boards", "1", "--timeout", "30")
        supernode.serve(
            f"localhost:{programs.port}", Path("certificates/ca.pem"), app, 5.0,
            lambda asked, answered: asked.metadata.message_type == "query.over",
        )  # fmt: skip
        code, text = programs.end("server")
    assert code == 7 and "no board answered in round 1: refused: " in text, text
    assert ("it claims 0 samples" if junk == "a name for a number" else "0 weights for a network of") in text


def test_a_server_that_was_killed_begins_again_where_it_was(fleet):
    with fleet as programs:
        programs.serve("--rounds", "1000", "--own", "0", "--boards", "1")
        programs.join("ann", "--patience", "1")
        programs.said("server", r"round (2)/1000: 1 of 1 boards")
        programs.kill("server")
        code, text = programs.end("ann")
        assert code == 7 and "is gone" in text, text
        average = load_model("fleet/fleet.tpsgd").weights_crc
        programs.serve(
            "--rounds", "1", "--boards", "1", "--wait", "0", "--timeout", "0.1", "--start", "fleet/fleet.tpsgd"
        )
        code, text = programs.end("server")
    assert code == 7 and "none was asked" in text, text
    assert load_model("fleet/fleet.tpsgd").weights_crc == average


def test_a_board_with_another_network_is_left_out_and_told(fleet):
    call(
        "new", "other", "--data", "all.csv", "--network", "rnn", "--hidden", "6", "--steps", "10", "--columns", "ax,ay"
    )
    call("quantize", "other.toml", "--data", "all.csv")
    call("flash", "other.tpsgd", "--board", "virtual", "--board-dir", "boards/cyd")
    with fleet as programs:
        programs.serve("--rounds", "1", "--own", "0", "--boards", "2")
        programs.join("cyd", "--model", "other.tpsgd")
        programs.said("server", r"(cyd takes no part: it has model)")
        for user in ("ann", "bob"):
            programs.join(user)
        code, text = programs.end("server")
        assert code == 0 and "note: cyd took no part: it has model" in text, text
        code, text = programs.end("cyd")
    assert code == 9 and "asked cyd nothing" in text, text


def test_the_documented_certificates_serve_and_no_others(fleet):
    docs = Path(__file__).resolve().parents[2] / "docs" / "FLEET.md"
    (block,) = re.findall(r"```\n(mkdir certificates.*?)```", docs.read_text(), re.S)
    script = block.replace("DNS:fleet.example.org", "DNS:localhost")
    subprocess.run(["bash", "-e", "-c", script], check=True, capture_output=True)
    with fleet as programs:
        programs.serve("--rounds", "1", "--own", "0", "--boards", "1")
        Path("stranger").mkdir()
        subprocess.run(["bash", "-e", "-c", f"cd stranger; {script}"], check=True, capture_output=True)
        programs.join("bob", ca="stranger/certificates/ca.pem")
        code, text = programs.end("bob")
        assert code == 3 and "does not vouch for the server" in text, text
        programs.join("ann")
        assert programs.end("ann")[0] == 0 and programs.end("server")[0] == 0
    assert "new certificates" not in Path("server.log").read_text()

"""A user's files survive flash and erase, on every kind of board; what tpsgd wrote goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import circuitpy
import pytest
from boards import put_on
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.errors import BoardError, ConfigError
from tpsgd_host.flashing.erase import erase
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.ownership import START_UPS, SUMS, Belongings, digest

#: What a user may have: none of it may be lost, whatever its name.
USERS = {
    "main.py": b"from tpsgd import serve\n\nprint('mine')\nserve.main()\n",
    "code.py": b"import mine\n# serve.main\n",
    "boot.py": b"import usb_cdc\nusb_cdc.enable(console=True, data=True)\n# mine\n",
    "tpsgd/network.py": b"# my own network\n",
    "tpsgd/mine.py": b"x = 1\n",
    "tpsgd/mine.mpy": b"M\x06",
    "tpsgd/notes.txt": b"notes\n",
    "movie.part": b"half of a film",
    "notes.txt": b"notes\n",
}


def never(question):
    raise ConfigError("nobody should have been asked", question)


class Board:
    """One kind of board, flashed and erased in one way."""

    def __init__(self, kind, folder, port=None):
        self.kind, self.folder, self.port = kind, folder, port
        self.asked = []
        self.start = "code.py" if kind == "drive" else "main.py"

    def flash(self, model, ask=None):
        """Flash a model; questions are kept and agreed to."""
        how = {
            "virtual": {"folder": self.folder}, "drive": {"board": "rp2040-circuitpython", "drive": self.folder},
            "REPL": {"board": "rp2040", "port": self.port},
        }[self.kind]  # fmt: skip
        return flash(model, ask=ask or self.asked.append, **how)

    def erase(self):
        """Erase the board."""
        how = {
            "virtual": {"folder": self.folder}, "drive": {"board": "rp2040-circuitpython", "drive": self.folder},
            "REPL": {"board": "rp2040", "port": self.port},
        }[self.kind]  # fmt: skip
        return erase(**how)

    def put(self, files):
        """Lay a user's files out."""
        for name, data in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)

    def all(self):
        """Return the contents of all files, but for those that a board's interpreter makes."""
        return [path.read_bytes() for path in self.folder.rglob("*") if path.is_file() and path.name[0] != "."]


@pytest.fixture(params=["virtual", "drive", "REPL"])
def board(request, tmp_path, interpreter, monkeypatch):
    """A bare board of each kind."""
    if request.param == "virtual":
        yield Board("virtual", tmp_path / "board")
    elif request.param == "drive":
        yield Board("drive", circuitpy.make_drive(tmp_path / "CIRCUITPY"))
    else:
        from terminal import TerminalBoard

        with TerminalBoard(interpreter, tmp_path / "flash") as machine:
            yield Board("REPL", machine.folder, machine.path)


def test_what_a_user_wrote_is_asked_about_and_kept(board, model_file):
    board.folder.mkdir(exist_ok=True)
    board.put(USERS)
    before = board.all()
    with pytest.raises(ConfigError, match="nobody should") as caught:
        board.flash(model_file, never)
    assert board.start in caught.value.hint and "tpsgd/network.py" in caught.value.hint
    assert sorted(board.all()) == sorted(before)
    board.flash(model_file)
    assert len(board.asked) == 1
    after = board.all()
    assert all(data in after for data in USERS.values())
    assert (board.folder / f"{board.start}.old").read_bytes() == USERS[board.start]
    assert (board.folder / "tpsgd/network.py.old").read_bytes() == USERS["tpsgd/network.py"]
    assert not (board.folder / "tpsgd/mine.py").exists()
    board.flash(model_file, never)  # files kept under another name are not in the way
    board.erase()
    left = board.all()
    assert all(data in left for data in USERS.values())
    assert not (board.folder / board.start).exists() and not (board.folder / SUMS).exists()


def test_a_second_file_of_the_user_does_not_replace_the_first(board, model_file):
    board.folder.mkdir(exist_ok=True)
    for text in (b"print(1)\n", b"print(2)\n", b"print(3)\n"):
        board.put({board.start: text})
        board.flash(model_file)
    kept = {path.name: path.read_bytes() for path in board.folder.glob(f"{board.start}.old*")}
    assert kept == {
        f"{board.start}.old": b"print(1)\n", f"{board.start}.old2": b"print(2)\n", f"{board.start}.old3": b"print(3)\n",
    }  # fmt: skip


def test_erase_keeps_what_was_changed_after_the_flash_and_names_it(board, model_file):
    board.flash(model_file)
    package = board.folder / "tpsgd"
    changed = next(path for path in sorted(package.iterdir()) if path.stem == "network")
    changed.write_bytes(b"# changed by hand\n")
    board.put({"boot.py": USERS["boot.py"], "tpsgd/mine.py": b"x = 1\n"})
    report = board.erase()
    assert set(report.kept) == {f"tpsgd/{changed.name}", "tpsgd/mine.py", "boot.py"}
    assert changed.read_bytes() == b"# changed by hand\n"
    assert {path.name for path in package.iterdir()} == {changed.name, "mine.py"}
    assert not (board.folder / board.start).exists()


def test_a_start_up_program_that_only_mentions_ours_stays(board, model_file):
    board.flash(model_file)
    board.put({board.start: USERS[board.start]})
    report = board.erase()
    assert board.start in report.kept
    assert (board.folder / board.start).read_bytes() == USERS[board.start]


def test_an_erased_board_has_nothing_of_ours(board, model_file):
    board.flash(model_file)
    report = board.erase()
    left = {path.name for path in board.folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
    assert left <= {"board.json", "boot_out.txt"}, left
    assert not report.kept


def test_a_flash_that_was_torn_is_not_taken_for_a_users(board, model_file):
    board.flash(model_file)
    (board.folder / board.start).unlink()
    torn = next(path for path in sorted((board.folder / "tpsgd").iterdir()) if path.stem == "network")
    torn.write_bytes(torn.read_bytes()[:100])
    board.flash(model_file, never)
    assert not list(board.folder.rglob("*.old"))


def test_a_board_flashed_before_there_were_sums_is_ours(tmp_path, interpreter, model_file):
    put_on(tmp_path / "board", model_file.read_bytes())
    (tmp_path / "board" / SUMS).unlink()
    (tmp_path / "board/tpsgd/network.py").write_bytes(b"# of another version\n")
    flash(model_file, folder=tmp_path / "board", ask=never)
    assert not list((tmp_path / "board").rglob("*.old"))


def test_a_checkout_of_the_users_is_not_a_board(tmp_path, interpreter, model_file):
    """--board-dir with a folder that holds a package of this name."""
    shutil.copytree(Path(put_on.__globals__["DEVICE"]), tmp_path / "mine" / "tpsgd")
    (tmp_path / "mine/tpsgd/network.py").write_bytes(b"# being worked on\n")
    with pytest.raises(ConfigError, match=r"tpsgd/network\.py that is not tpsgd's"):
        flash(model_file, folder=tmp_path / "mine")
    assert (tmp_path / "mine/tpsgd/network.py").read_bytes() == b"# being worked on\n"


NAMES = st.sampled_from([*START_UPS, SUMS, "tpsgd/network.py", "tpsgd/mine.py", "tpsgd/.network.py.7.tmp", "tpsgd/x"])
DIGESTS = st.sampled_from([digest(b""), digest(b"a"), digest(b"b"), "?"])


@given(st.dictionaries(NAMES, DIGESTS), st.dictionaries(NAMES, DIGESTS))
def test_nothing_is_both_ours_and_somebody_elses(files, sums):
    there = Belongings(files, sums)
    for start in ("main.py", "code.py"):
        others = set(there.others(start))
        assert not others & set(there.ours())
        assert others <= {*there.kept()}
    assert not set(there.stale([])) & set(there.kept())


@given(st.text())
def test_a_boards_answer_is_parsed_or_refused(text):
    try:
        Belongings.parse(text).ours()
    except BoardError:
        pass

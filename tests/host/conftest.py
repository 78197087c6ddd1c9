"""A folder with data, and a virtual board that holds a model for them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from commands import call
from hypothesis import HealthCheck, settings
from motions import write_motions
from sounds import write_wav

# No example has a time limit: on a machine with other work, none holds. Examples may share a test's folder.
SHARED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("patient", deadline=None, suppress_health_check=SHARED)
settings.load_profile("patient")


def _be_in(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TPSGD_VIRTUAL", str(folder / "board"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with data, as the current one, and a virtual board of its own."""
    _be_in(tmp_path, monkeypatch)
    write_motions(tmp_path / "train.csv", 90, 1)
    write_motions(tmp_path / "test.csv", 30, 2)
    return tmp_path


@pytest.fixture(scope="session")
def _flashed_once(tmp_path_factory, interpreter):
    """What ``flashed`` copies: making it takes half a second."""
    folder = tmp_path_factory.mktemp("flashed")
    write_motions(folder / "train.csv", 90, 1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        _be_in(folder, monkeypatch)
        call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
        call("quantize", "motion.toml", "--data", "train.csv")
        call("flash", "motion.tpsgd", "--board", "virtual")
    return folder


@pytest.fixture
def flashed(place, _flashed_once):
    """A virtual board with a model for the motions."""
    shutil.copytree(_flashed_once, place, dirs_exist_ok=True)
    return place


@pytest.fixture
def spoken(tmp_path, monkeypatch):
    """Nine recordings of each of two words, a file's name begins with its label."""
    monkeypatch.chdir(tmp_path)
    for label, seed in (("low", 1), ("high", 5)):
        for take in range(6):
            rng = np.random.default_rng(10 * seed + take)
            t = np.arange(4000) / 8000
            x = np.sin(2 * np.pi * t * 200 * seed * rng.uniform(0.95, 1.05)) * 6000 * np.hanning(4000)
            write_wav(tmp_path / "said" / label / f"{take}.wav", np.round(x + rng.normal(0, 60, 4000)).astype(np.int16))
    return tmp_path

"""bench words: words in noise are found, known, and counted."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from sounds import speech, write_wav

from tpsgd_host.cli import cli
from tpsgd_host.data.frontend import LogMel, mel_edges
from tpsgd_host.data.noise import Stream, listen, pink, stream

EIGHT = LogMel(8000, 256, 128, mel_edges(16, 100, 4000))


def bursts(count):
    return [speech(8000, 2, seed)[12000 - seed % 2 * 8000 :][:4000] for seed in range(count)]


def test_pink_noise_falls_with_frequency():
    power = np.abs(np.fft.rfft(pink(1 << 16, np.random.default_rng(1)))) ** 2
    octaves = [power[1000 * 2**i : 2000 * 2**i].sum() for i in range(4)]
    assert max(octaves) < 1.2 * min(octaves)
    assert np.isclose(pink(5000, np.random.default_rng(2)).std(), 1)


@pytest.mark.parametrize(("decibels", "least"), [(30, 12), (20, 12), (-30, 0)])
def test_words_are_found_in_noise(decibels, least):
    one = stream(bursts(12), decibels, 8000, 1)
    assert (one.starts[1:] > one.stops[:-1] + 4000 - 1).all()
    heard = listen(one, EIGHT, 20)
    assert heard.found.sum() >= least
    if decibels < 0:
        assert heard.found.sum() < 6
    assert heard.samples.shape == (12, 320)
    assert heard.samples.min() >= 1


def test_nothing_is_found_in_noise_alone():
    nowhere = np.zeros(0, np.int64)
    pcm = np.round(300 * pink(8000 * 60, np.random.default_rng(3))).astype(np.int16)
    assert listen(Stream(pcm, nowhere, nowhere), EIGHT, 20).false == 0


def test_the_command_says_what_was_found(tmp_path):
    for i, pcm in enumerate(bursts(12)):
        write_wav(tmp_path / "data" / f"{'ab'[i % 2]}_{i}.wav", pcm)
    (tmp_path / "m.toml").write_text(
        '[data]\nsteps = 20\n[frontend]\nkind = "logmel"\n[[layer]]\nkind = "temporal"\nunits = 4\n'
        '[[layer]]\nkind = "output"\n'
    )
    words = ["bench", "words", str(tmp_path / "data"), "-m", str(tmp_path / "m.toml"), "--folds", "2", "-e", "10"]
    done = CliRunner().invoke(cli, [*words, "--hours", "0.01", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["words"] == 12
    assert said["accuracy"] == 1.0
    assert [level["decibels"] for level in said["levels"]] == [40, 30, 20, 10]
    assert said["levels"][0]["found"] == 1.0
    assert said["false_per_hour"] == 0

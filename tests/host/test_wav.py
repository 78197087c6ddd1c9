"""Folders of WAV files become samples; a model with a front end survives its file, and says what it needs."""

import os
from pathlib import Path

import numpy as np
import pytest
from sounds import speech
from sounds import write_wav as write

from tpsgd_host.data.frontend import LogMel, Motion
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.motion import as_read, gesture
from tpsgd_host.data.sound import frames, halved, word
from tpsgd_host.data.subjects import LeaveOut, load_divided
from tpsgd_host.data.wav import find_recordings, read_wav
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import memory, parse_model
from tpsgd_host.model.new import new_model
from tpsgd_host.model.parsing import load_config, parse_config

SOUND = """
[data]
steps = 20
group = "{group}"
[frontend]
kind = "logmel"
{more}
[[layer]]
kind = "temporal"
units = 4
[[layer]]
kind = "output"
"""
GESTURES = """
[data]
steps = 8
group = "take"
columns = ["x", "y", "z"]
[frontend]
kind = "motion"
full_scale = [8192, 8192, 16384]
counts = 100
[[layer]]
kind = "temporal"
units = 4
[[layer]]
kind = "output"
"""


def config(text=SOUND, group="", more=""):
    return parse_config(text.replace("{group}", group).replace("{more}", more), "words.toml")


def one(seed, rate=8000):
    return speech(rate, 1, seed)[rate // 2 : rate]


def test_a_folder_a_label(tmp_path):
    for label, seeds in (("yes", (1, 2)), ("no", (3,))):
        for seed in seeds:
            write(tmp_path / label / f"{seed}.wav", one(seed))
    layout = config().layout
    samples = load_samples(tmp_path, layout)
    assert samples.classes == ("no", "yes")
    assert samples.groups == ("no/3.wav", "yes/1.wav", "yes/2.wav")
    assert samples.labels.tolist() == [0, 1, 1]
    expected = word(frames(one(3), layout.front), 20, 128)
    assert (samples.values[0] + 128).astype(np.uint8).tobytes() == expected.tobytes()


def test_a_pattern_names_label_and_speaker(tmp_path):
    for name in ("3_anna_0", "3_ben_1", "11_anna_0"):
        write(tmp_path / f"{name}.wav", one(1))
    found = find_recordings(tmp_path, "{label}_{speaker}_{take}.wav")
    assert [(r.label, r.fields["speaker"]) for r in found] == [("11", "anna"), ("3", "anna"), ("3", "ben")]
    assert [r.label for r in find_recordings(tmp_path)] == ["11", "3", "3"]
    assert load_samples(tmp_path, config(group="{label}_{speaker}_{take}").layout).classes == ("3", "11")
    write(tmp_path / "other.wav", one(1))
    with pytest.raises(DataError, match="does not fit the pattern"):
        find_recordings(tmp_path, "{label}_{speaker}_{take}")
    with pytest.raises(ConfigError, match="must have"):
        find_recordings(tmp_path, "{speaker}_{take}")


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_widths_and_channels(tmp_path, width, channels):
    pcm = one(1)
    write(tmp_path / "a.wav", pcm, 8000, width, channels)
    got = read_wav(tmp_path / "a.wav", 8000)
    assert np.abs(got.astype(int) - pcm).max() <= (255 if width == 1 else 0)


def test_rates(tmp_path):
    pcm = one(1, 16000)
    write(tmp_path / "a.wav", pcm, 16000)
    assert (read_wav(tmp_path / "a.wav", 16000) == pcm).all()
    assert (read_wav(tmp_path / "a.wav", 8000) == halved(pcm)).all()
    with pytest.raises(DataError, match="16000 samples a second, the model takes 4000"):
        read_wav(tmp_path / "a.wav", 4000)


def test_bad_files_stop_or_are_left_out(tmp_path):
    write(tmp_path / "a" / "1.wav", one(1))
    write(tmp_path / "b" / "1.wav", one(2))
    (tmp_path / "b" / "2.wav").write_bytes(b"RIFF....WAVE")
    write(tmp_path / "b" / "3.wav", np.zeros(0, np.int16))
    with pytest.raises(DataError, match=r"2\.wav"):
        load_samples(tmp_path, config().layout)
    samples = load_samples(tmp_path, config().layout, bad_rows="skip")
    assert len(samples) == 2
    assert [row.line for row in samples.bad_rows] == [3, 4]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no WAV files"):
        load_samples(tmp_path / "empty", config().layout)


def test_a_file_whose_parts_are_longer_than_itself_is_refused(tmp_path):
    write(tmp_path / "a.wav", np.zeros(400, np.int16))
    raw = bytearray((tmp_path / "a.wav").read_bytes())
    raw[36:44] = b"LIST\xff\xff\x00\x00"
    (tmp_path / "a.wav").write_bytes(raw)
    with pytest.raises(DataError, match="no WAV file that can be read"):
        read_wav(tmp_path / "a.wav", 8000)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_sound_is_halved(tmp_path, count):
    write(tmp_path / "a.wav", np.zeros(count, np.int16), rate=16000)
    assert read_wav(tmp_path / "a.wav", 8000).tolist() == [0] * (count // 2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(DataError, match="a device or a pipe, not a file"):
        read_wav(tmp_path / "a.wav", 8000)


def test_a_long_recording_gives_its_longest_word(tmp_path):
    pcm = speech(8000, 2)
    pcm[14000:16000] = pcm[:2000]  # the second word is half as long
    write(tmp_path / "a" / "1.wav", pcm)
    write(tmp_path / "b" / "1.wav", one(1))
    samples = load_samples(tmp_path, config().layout)
    whole = word(frames(pcm, config().layout.front), 20, 128)
    assert len(samples) == 2
    assert (samples.values[0] + 128).astype(np.uint8).tobytes() != whole.tobytes()


def test_a_model_that_hears_survives_its_file(tmp_path):
    for label in "ab":
        write(tmp_path / label / "1.wav", one(ord(label)))
    given = config(more="rate = 16000\nbands = 20\nnoise = false")
    plain = build_model(config(), load_samples(tmp_path, config().layout))
    data = plain.to_bytes()
    assert data[4] == 3
    model = parse_model(data, "words")
    assert model.to_bytes() == data
    front = model.layout.front
    assert isinstance(front, LogMel)
    assert (front.rate, front.window, front.hop, front.channels) == (8000, 256, 128, 16)
    sizes = dict(memory(model).buffers)
    assert sizes["window"] == 512
    heard = ("samples", "window", "spectrum", "rotations", "triangles", "bands", "frames", "quiet level", "sample")
    assert sum(sizes[name] for name in heard) <= 4096
    assert isinstance(given.layout.front, LogMel)
    assert (given.layout.front.window, given.layout.channels, given.layout.front.noise) == (512, 20, False)


def test_gestures_on_a_fixed_scale(tmp_path):
    rng = np.random.default_rng(1)
    rows, takes = ["x,y,z,label,take"], {}
    for take in range(6):
        takes[take] = rng.normal(0, 40, (20 + take, 3)).round(2)
        rows += [f"{x},{y},{z},{'ab'[take % 2]},{take}" for x, y, z in takes[take]]
    path = Path(tmp_path / "g.csv")
    path.write_text("\n".join(rows) + "\n")
    layout = config(GESTURES).layout
    samples = load_samples(path, layout)
    assert isinstance(layout.front, Motion)
    assert layout.front.multipliers == (1016, 1016, 508)
    for take, values in takes.items():
        expected = gesture(as_read(values, layout.front), layout.front, 8)
        assert (samples.values[take] + 128).astype(np.uint8).tobytes() == expected.tobytes()
    model = build_model(config(GESTURES), samples)
    assert parse_model(model.to_bytes(), "g").layout == layout
    assert model.scaling.encode(samples.values).reshape(6, 8, 3)[0].tobytes() == (
        gesture(as_read(takes[0], layout.front), layout.front, 8).tobytes()
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("window = 200", "power of two"),
        ("bands = 40\nwindow = 64", "would hear nothing"),
        ("hold = 3", "segmenter"),
        ("full_scale = 1000", "motion"),
        ("hop = 400", "hop"),
        ("low = 5000", "low"),
        ("rates = 1", "rates"),
    ],
)
def test_settings_that_cannot_be_are_refused(more, says):
    with pytest.raises(ConfigError, match=says):
        config(more=more)


def test_a_front_end_leaves_no_scale():
    with pytest.raises(ConfigError, match="front end"):
        config(SOUND.replace("steps = 20", 'steps = 20\nscale = "std"'))


def test_new_makes_a_model_that_hears(tmp_path):
    for label in ("yes", "no"):
        write(tmp_path / "data" / label / "1.wav", one(len(label)))
    made = new_model("words", tmp_path / "words.toml", data=tmp_path / "data")
    found = load_config(made.path)
    assert found.classes == ("no", "yes")
    assert found.layout.front == config().layout.front
    assert [layer.kind for layer in found.layers] == ["temporal", "output"]
    assert str(tmp_path / "data") in made.next


@pytest.mark.parametrize(("unit", "counts"), [(1.0, 10000.0), (16384.0, 1.0)])
def test_new_makes_a_model_that_finds_gestures(tmp_path, unit, counts):
    rows = ["x,y,label,take"]
    for take in range(4):
        turns = [i * 5 % 21 / 20 for i in range(21)]  # what rises evenly is taken for a clock
        rows += [f"{round(unit * i, 4)},{-round(unit * 2 * i, 4)},{'ab'[take % 2]},t{take}" for i in turns]
    (tmp_path / "g.csv").write_text("\n".join(rows) + "\n")
    made = new_model("g", tmp_path / "g.toml", data=tmp_path / "g.csv", motion=True, group="take", label="label")
    layout = load_config(made.path).layout
    assert isinstance(layout.front, Motion)
    assert layout.front.counts == counts
    largest = np.array([1, 2]) * unit * counts
    reach = np.array(layout.front.multipliers) * largest / 65536
    assert (reach > 127).all() and (reach < 300).all()
    assert load_samples(tmp_path / "g.csv", layout).values.shape == (4, 16, 2)


def test_a_speaker_is_left_out_by_the_names_of_the_files(tmp_path):
    for name in ("a_anna_0", "b_anna_0", "a_ben_0", "b_ben_0", "b_ben_1"):
        write(tmp_path / f"{name}.wav", one(len(name)))
    layout = config(group="{label}_{speaker}_{take}").layout
    rest, out = load_divided(tmp_path, layout, held_out=LeaveOut("speaker", ("ben",)))
    assert rest.groups == ("a_anna_0.wav", "b_anna_0.wav")
    assert out.groups == ("a_ben_0.wav", "b_ben_0.wav", "b_ben_1.wav")
    with pytest.raises(DataError, match="do not say a 'wearer'"):
        load_divided(tmp_path, layout, held_out=LeaveOut("wearer", ("ben",)))

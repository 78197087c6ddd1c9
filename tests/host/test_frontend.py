"""Front ends on the host: NumPy's frames and words are those of the device's readable kernels, bit for bit."""

import shutil
import subprocess
from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from boards import DEVICE
from sounds import speech

from tpsgd import frontend, kernels_plain, logmel
from tpsgd_host.data import sound
from tpsgd_host.data.frontend import LogMel, Motion, device_spec, mel_edges, pack, unpack

EIGHT = LogMel(8000, 256, 128, mel_edges(16, 100, 4000))
SIXTEEN = LogMel(16000, 512, 320, mel_edges(20, 100, 8000))
STEPS = 20


def device(front, rate=0):
    model = SimpleNamespace(front=device_spec(front), channels=len(front.edges) - 2, steps=STEPS)
    return frontend.build(model, kernels_plain, bytearray(model.steps * model.channels + 1), rate)


def pushed(end, pcm, piece):
    """Push a recording in pieces; return the frames, and the samples of the words found."""
    frames, samples = [], []
    c = end.shape[2]
    feed = end.segmenter.feed

    def spy():
        frames.append(bytes(end.segmenter.frames[end.segmenter.at : end.segmenter.at + c]))
        return feed()

    end.segmenter.feed = spy
    for at in range(0, len(pcm), piece):
        x = pcm[at : at + piece]
        end.buffer[: len(x)] = array("h", x.tolist())
        if end.push(len(x)):
            samples.append(bytes(end.sample[: STEPS * c]))
    return frames, samples


@pytest.mark.parametrize("front", [EIGHT, SIXTEEN], ids=["8 kHz", "16 kHz"])
@pytest.mark.parametrize("piece", [64, 37])
def test_numpy_and_the_readable_kernels_agree_on_frames_and_words(front, piece):
    pcm = speech(front.rate, 3)
    frames, samples = pushed(device(front), pcm, piece)
    heard = sound.frames(pcm, front)
    assert b"".join(frames) == heard.tobytes()
    found = list(sound.words(heard, front, STEPS))
    assert len(found) == len(samples) == 3
    assert samples == [word.sample.tobytes() for word in found]
    for i, word in enumerate(found):
        begin, end = word.first * front.hop, (word.first + word.count) * front.hop
        assert front.rate * (i + 0.35) < begin < front.rate * (i + 0.65) < front.rate * (i + 0.85) < end


def test_extreme_sounds_give_the_same_frames():
    rng = np.random.default_rng(2)
    square = np.where(np.arange(2048) // 9 % 2, 32767, -32768)
    parts = [np.zeros(512), np.full(512, -32768), square, rng.integers(-32768, 32768, 2048), rng.integers(-1, 2, 512)]
    pcm = np.concatenate(parts).astype(np.int16)
    frames, _ = pushed(device(EIGHT), pcm, 64)
    assert b"".join(frames) == sound.frames(pcm, EIGHT).tobytes()


@pytest.mark.parametrize("piece", [64, 51])
def test_a_microphone_of_twice_the_rate_is_halved_as_numpy_halves_it(piece):
    pcm = speech(16000, 1)
    frames, _ = pushed(device(EIGHT, 16000), pcm, piece)
    half = sound.halved(pcm)
    assert abs(len(half) - len(pcm) / 2) < 1
    assert b"".join(frames) == sound.frames(half, EIGHT).tobytes()


def test_whole_words_are_those_of_the_board():
    heard = sound.frames(speech(8000, 1), EIGHT)
    for count in (3, 20, 47):
        sample = bytearray(STEPS * 16)
        logmel.word(heard[:count].tobytes(), sample, array("i", (count, STEPS, 16, 128)))
        assert sound.word(heard[:count], STEPS, 128).tobytes() == sample


def test_a_word_with_lost_samples_is_forgotten():
    pcm = speech(8000, 2)
    end = device(EIGHT)
    pushed(end, pcm[: 8000 * 3 // 4], 64)
    assert end.active
    end.torn()
    assert not end.active
    assert len(pushed(end, pcm[8000 * 3 // 4 :], 64)[1]) == 1  # the second


def test_a_front_end_survives_its_block():
    for front in (EIGHT, SIXTEEN, Motion(100, (508, 508, 300), 2.5)):
        assert unpack(device_spec(front)) == front
        raw = bytearray(pack(front))
        raw[2] += 4
        with pytest.raises(ValueError, match="size"):
            device_spec.__globals__["frontspec"].FrontSpec(bytes(raw), 3)


NO_ROOM = 'raise MemoryError("memory allocation failed, allocating 2224 bytes")\n'
COMPILED = "from tpsgd import frontend, runtime\nprint(frontend.compiled(runtime.engine()).__name__)"


def test_a_front_end_runs_uncompiled_where_memory_for_machine_code_is_out(interpreter, tmp_path):
    """An ESP32 has little memory for machine code, and its heap may have grown into that."""
    shutil.copytree(DEVICE, tmp_path / "tpsgd")

    def said():
        command = [interpreter, "-c", COMPILED]
        done = subprocess.run(command, capture_output=True, text=True, env={"MICROPYPATH": str(tmp_path)}, check=True)
        return done.stdout.splitlines()

    (name,) = said()
    if name != "tpsgd.logmel_viper":  # a native module: the next best comes after it
        assert name.startswith("tpsgd.logmel_")
        (tmp_path / "tpsgd" / "logmel_native.py").write_text(NO_ROOM)
        assert said()[1:] == ["tpsgd.logmel_viper"]
    (tmp_path / "tpsgd" / "logmel_viper.py").write_text(NO_ROOM)
    *_, note, name = said()
    assert name == "tpsgd.logmel"
    assert note.startswith("a compiled front end does not fit this board: hearing is slower: memory allocation failed")

"""Front ends give the same frames, words and gestures on every runtime, and allocate nothing while they run."""

from sources import STEPS, Source, motion, sound
from test_golden import SkipTest

from tpsgd import frontend, runtime
from tpsgd.generator import step
from tpsgd.runtime import crc32

#: CRC-32 of frames and samples of each of SOUNDS and of the halved 16 kHz; of the gestures' samples. By plain.
GOLDEN = ((2915678671, 737899096, 2), (3978551167, 3110018679, 1), (1717891158, 4130149486, 1), (1783933757, 3))


def engine(name):
    numbers = {runtime.ENGINES[number]: number for number in runtime.ENGINES}
    try:
        return runtime.engine(numbers[name])
    except ImportError:
        raise SkipTest("this interpreter has no engine " + name) from None


def locked(k, end, n):
    """Push values; with compiled kernels no byte may be allocated."""
    if k.NAME == "plain":
        return end.push(n)
    runtime.lock()
    try:
        return end.push(n)
    finally:
        runtime.unlock()


def heard(model, k, seconds, rate=0, piece=50):
    """Return the CRC of all frames and one of the samples of the words, and how many words there were."""
    sample = bytearray(STEPS * model.channels + 1)
    end = frontend.build(model, k, sample, rate)
    source = Source(rate or model.front.rate)
    frames = samples = words = 0
    c = model.channels
    before = 0
    for _ in range(seconds * source.rate // piece):
        source.fill(end.buffer, piece)
        found = locked(k, end, piece)
        if end.frames != before and end.segmenter.at >= c:
            before = end.frames
            frames = crc32(bytes(end.segmenter.frames[end.segmenter.at - c : end.segmenter.at]), frames)
        if found:
            words += 1
            samples = crc32(sample, samples)
    return frames & 0xFFFFFFFF, samples & 0xFFFFFFFF, words


def moved(k, readings=900):
    """Return the CRC of the samples of gestures in a stream of readings at rest, and how many there were."""
    model = motion()
    sample = bytearray(STEPS * 3 + 1)
    end = frontend.build(model, k, sample)
    s = 7
    samples = gestures = 0
    for t in range(readings):
        for c in range(3):
            s = step(s)
            v = (8000 if c == 2 else 0) + (s >> 25) - 64
            if t % 300 > 200 and t % 300 < 260:
                v += (9000 - 3000 * c) * (1 if t // (5 + t // 300) % 2 else -1)
            end.buffer[c] = v
        found = locked(k, end, 3)
        if found:
            gestures += 1
            samples = crc32(sample, samples)
    return samples & 0xFFFFFFFF, gestures


def check(name):
    k = engine(name)
    got = (heard(sound(0), k, 3), heard(sound(1), k, 2), heard(sound(0), k, 2, 16000), moved(k))
    assert got == GOLDEN, got


def test_plain_front_ends():
    check("plain")


def test_viper_front_ends():
    check("viper")


def test_native_front_ends():
    check("native")

"""Words of real recordings, heard and learned: one program for every runtime, and what it prints there.

Its figures are the words found, and CRCs: over the frames kept after each push, samples, results and weights.
"""

import contextlib
import io
from binascii import b2a_base64
from itertools import pairwise

import numpy as np

from tpsgd_host.bench import hearing

#: Runs on a board as it does here.
PROGRAM = """import gc
from array import array
from binascii import a2b_base64
from tpsgd import frontend, modelfile, network, runtime
class Ear:
    def __init__(self, path, engine):
        with open(path, 'rb') as file:
            model = modelfile.Model(file)
            k = runtime.engine(engine)
            self.net = network.build(file, model, k)
        self.front = frontend.build(model, k, self.net.sample)
        self.hop = model.front.hop
        self.quiet = bytes(2 * self.hop)
        self.hold = model.front.hold
        self.frames = self.samples = self.results = self.words = self.count = 0
        self.rest(20, 0)
    def rest(self, frames, y):
        for _ in range(frames):
            self.hear(self.quiet, y)
    def text(self, line, y):
        self.hear(a2b_base64(line), y)
    def hear(self, pcm, y):
        pcm = array('h', pcm)
        buffer = memoryview(self.front.buffer)
        for at in range(0, len(pcm), len(buffer)):
            piece = pcm[at : at + len(buffer)]
            buffer[: len(piece)] = piece
            over = self.front.push(len(piece))
            if self.front.frames != self.count:
                self.count = self.front.frames
                self.frames = runtime.crc32(self.front.segmenter.frames, self.frames)
            if over:
                self.words += 1
                self.samples = runtime.crc32(self.net.sample, self.samples)
                result = self.net.train(y)
                self.results = runtime.crc32(bytes([result >> 8, result & 255]), self.results)
    def figures(self):
        crcs = (self.frames, self.samples, self.results, self.net.crc())
        print(self.words, ' '.join(['%08x' % (crc & 0xFFFFFFFF) for crc in crcs]))
"""

#: Bytes that are heard at once: a board has no room for a word. In base64 they have no padding.
PIECE = 1536

#: Frames of quiet after a recording, besides those that end a word.
MORE = 3

#: Front ends by samples a second.
FRONTS = {8000: "", 16000: "rate = 16000\nwindow = 512\nhop = 320\nbands = 20\n"}


def official(data_dir, count, rate):
    """Return (PCM, label) of recordings of the official test part, the speakers mixed."""
    with np.load(data_dir / "fsdd-4speakers.npz") as arrays:
        audio, offsets, labels, takes = (arrays[name] for name in ("audio", "offsets", "digit", "take"))
    test = [i for i in np.argsort(takes, kind="stable") if takes[i] < 5]
    test = test[:: len(test) // count][:count]
    bounds = list(pairwise(offsets.tolist()))
    found = []
    for i in test:
        pcm = audio[slice(*bounds[i])].astype(float)
        if rate == 16000:
            pcm = np.interp(np.arange(2 * len(pcm)) / 2, np.arange(len(pcm)), pcm)
        found.append((pcm.astype("<i2").tobytes(), int(labels[i])))
    return found


def model_bytes(rate):
    """Return an untrained temporal network with a front end, as a file."""
    return hearing.hearing_model("TDNN 16-23@5", FRONTS[rate]).to_bytes()


def here(recordings, rate, folder):
    """Return what the program prints on CPython, with the readable kernels."""
    path = folder / "model.tpsgd"
    path.write_bytes(model_bytes(rate))
    names = {}
    exec(PROGRAM, names)
    ear = names["Ear"](str(path), 1)
    for pcm, y in recordings:
        for at in range(0, len(pcm), PIECE):
            ear.hear(pcm[at : at + PIECE], y)
        ear.rest(ear.hold + MORE, y)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        ear.figures()
    return said.getvalue()


def there(board, recordings, rate, engine):
    """Return what the program prints on an emulated board."""
    board.write("model.tpsgd", model_bytes(rate))
    board.run(PROGRAM + f"ear = Ear('model.tpsgd', {engine})\ngc.collect()", 300)
    for pcm, y in recordings:
        for at in range(0, len(pcm), PIECE):
            board.run(f"ear.text({b2a_base64(pcm[at : at + PIECE])!r}, {y})", 600)
        board.run(f"ear.rest(ear.hold + {MORE}, {y})", 600)
    return board.run("ear.figures()\near = None\ngc.collect()")

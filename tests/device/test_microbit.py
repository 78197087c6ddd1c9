"""The assembler engine on an emulated Cortex-M0: the right bits, instruction counts, a network trained in 9.3 KB."""

import random

import gestures
import pytest

from tpsgd import kernels_plain as plain
from tpsgd import selftest
from tpsgd.network import Network
from tpsgd.parameters import pack
from tpsgd_host.bench.m0 import measure, series, trim, twin
from tpsgd_host.bench.m0.load import IMPORTS, KERNELS, LONG, START, load, load_softmax, send
from tpsgd_host.bench.m0.microbit import Microbit, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture
def board():
    with Microbit() as board:
        yield board


def rows(dice, m, n, frozen):
    """Return random weights of one layer, some at the ends of their range, as stored."""
    ends = [256, 257, 300, 65200, 65534, 65535]
    values = [dice.choice(ends) if dice.random() < 0.25 else dice.randint(256, 65535) for _ in range(m * n)]
    return bytes([v >> 8 for v in values]) if frozen else b"".join([v.to_bytes(2, "little") for v in values])


def words(stored):
    """Return stored activations as the assembler engine keeps them."""
    return [b - 128 for b in stored]


@pytest.fixture(params=[trim.pieces, trim.assembled], ids=["compiled there", "assembled here"])
def source(request):
    return request.param


def test_forward_and_update(board, source):
    dice = random.Random(4)
    board.run(START)
    load(board, ("forward", "update"), source)
    for m, n, frozen, shift in ((3, 1, 0, 1), (2, 8, 0, 5), (1, 3, 1, 0), (3, 13, 0, 9), (4, 6, 1, 15), (2, 16, 1, 4)):
        stored = bytes([dice.randint(1, 255) for _ in range(n - 1)] + [255])
        w = bytearray(rows(dice, m, n, frozen))
        packed = pack(m, n, frozen, shift)
        e = [dice.choice([0, -254, 254, dice.randint(-254, 254)]) for _ in range(m)]
        z = plain.accumulators(m)
        plain.forward(w, stored, packed, z)
        board.run(f"w=bytearray({bytes(w)!r})\nx=array('i',{words(stored)})\nz=array('i',bytes({4 * m}))")
        assert board.run(f"print(forward(w,x,{packed},z),list(z))").strip() == f"0 {list(z)}"
        if shift and not frozen:
            plain.update(w, stored, packed, e)
            assert board.run(f"z=array('i',{e})\n_=update(w,x,{packed},z)\nprint(list(w))").strip() == str(list(w))


def test_error(board, source):
    dice = random.Random(5)
    board.run(START)
    load(board, ("error",), source)
    for column, l1 in ((0, 0), (7, 25)):
        m = 35
        p = [m, 0, 100, l1, 2, 0x9E3779B9 + column]
        a = bytes([dice.choice([28, 228, dice.randint(1, 255)]) for _ in range(m)])
        e = plain.accumulators(m)
        plain.error(a, e, p, column)
        board.run(f"p=array('I',{p})\na=array('i',{words(a)})\ne=array('i',bytes({4 * m}))")
        assert board.run(f"_=error(a,e,p,{column})\nprint(list(e))").strip() == str(list(e))


def test_reset_state_leak_and_clamp(board, source):
    dice = random.Random(6)
    board.run(START)
    load(board, ("reset_state", "leak", "clamp"), source)
    m = 7
    z = [dice.randint(-400, 400) for _ in range(m)]
    p = [m, 0, 0, 0, 2, 0]
    h16, h, a = bytearray(2 * m), bytearray(m), bytearray(m)
    plain.reset_state(h, h16, p)
    board.run(f"p=array('I',{p})\nz=array('i',{z})\nh=array('i',{z})\na=array('i',{z})\ng=bytearray({2 * m})")
    assert board.run("_=reset_state(h,g,p)\nprint(list(g),list(h))").strip() == f"{list(h16)} {words(h)}"
    for _ in range(3):
        plain.leak(z, h16, h, p)
        assert board.run("_=leak(z,g,h,p)\nprint(list(g),list(h))").strip() == f"{list(h16)} {words(h)}"
    plain.clamp(z, a, p)
    assert board.run("_=clamp(z,a,p)\nprint(list(a))").strip() == str(words(a))


def test_softmax(board, source):
    dice = random.Random(7)
    m = 7
    board.run(START)
    load(board, ("_softmax",), source)
    load_softmax(board)
    board.run(f"p=array('I',{[m, 0, 0, 0, 0, 0]})")
    for y, spread in ((255, 60), (0, 60), (6, 2), (3, 10**6)):
        e = plain.accumulators(m)
        for i in range(m):
            e[i] = dice.randint(-spread, spread)
        board.run(f"z=array('i',{list(e)})")
        result = plain.softmax(e, [m], y)
        assert board.run(f"print(softmax(z,p,{y}),list(z))").strip() == f"{result} {list(e)}"


def test_load_copy_and_draw(board, source):
    board.run(START)
    load(board, ("load", "copy", "draw"), source)
    board.run("a=array('i',bytes(20))\n_=load(bytearray(b'abcdefg'),2,a,4)\nz=array('i',bytes(20))\n_=copy(a,z,1,3)")
    assert board.run("print(list(a),list(z))").strip() == f"{[*words(b'cdef'), 0]} {[0, *words(b'cde'), 0]}"
    state = [12345]
    drawn = [plain.draw(state, 1000) for _ in range(5)]
    board.run("s=array('I',[12345])")
    assert board.run("print([draw(s,1000)for _ in range(5)],s[0])").strip() == f"{drawn} {state[0]}"


def test_backward_and_masked_error(board, source):
    dice = random.Random(11)
    board.run(START)
    load(board, ("backward", "masked_error"), source)
    layers = ((3, 2, 1, 1, 1), (2, 9, 5, 7, 0), (1, 3, 9, 4, 0), (11, 5, 15, 3, 0), (9, 7, 4, 6, 1))
    for m, n, shift, r, nearest in layers:
        ends = [1, 255, dice.randint(1, 255)]
        stored = bytearray([dice.choice(ends) if dice.random() < 0.5 else dice.randint(1, 255) for _ in range(n - 1)])
        stored.append(255)
        w = bytearray(rows(dice, m, n, 0))
        packed = pack(m, n, nearest, shift, r)
        e = [dice.choice([0, -127, 127, dice.randint(-127, 127)]) for _ in range(m)]
        board.run(
            f"w=bytearray({bytes(w)!r})\nx=array('i',{words(stored)})\nz=array('i',{e})\n_=backward(w,x,{packed},z)"
        )
        plain.backward(w, stored, packed, e)
        assert board.run("print(list(w),list(x))").strip() == f"{list(w)} {words(stored)}"
    f = bytes([dice.randint(1, 255) for _ in range(9)])
    z = [126, -126, 127, -127, 5000, -5000, 0]
    for masked in (0, 1):
        e = list(z)
        plain.masked_error(f, e, (len(z),), masked << 16 | 2)
        script = f"z=array('i',{z})\n_=masked_error(array('i',{words(f)}),z,array('I',[{len(z)}]),{masked << 16 | 2})"
        assert board.run(script + "\nprint(list(z))").strip() == str(e)


def test_load_into_the_middle(board, source):
    board.run(START)
    load(board, ("load",), source)
    board.run("a=array('i',bytes(24))")
    assert board.run("_=load(bytearray(b'abcdefg'),2,a,2<<16|3)\nprint(list(a))").strip() == str(
        [0, 0, *words(b"cde"), 0]
    )


def test_max_pool_and_track_max(board, source):
    dice = random.Random(8)
    board.run(START)
    load(board, ("max_pool", "track_max"), source)
    m = 5
    target, top, where = bytearray(9), bytearray(m), plain.positions(m)
    board.run(f"g=bytearray(9)\nt=array('i',{words(top)})\nh=array('H',bytes({2 * m}))")
    for fresh, at in ((1, 7), (0, 65535), (0, 300), (1, 2)):
        a = bytes([dice.choice([1, 255, 128, dice.randint(1, 255)]) for _ in range(m)])
        plain.max_pool(a, target, 3, fresh << 16 | m)
        plain.track_max(a, top, where, at << 11 | m)
        board.run(f"a=array('i',{words(a)})\n_=max_pool(a,g,3,{fresh << 16 | m})\n_=track_max(a,t,h,{at << 11 | m})")
        assert board.run("print(list(g),list(t),list(h))").strip() == f"{list(target)} {words(top)} {list(where)}"


def test_accumulate_and_flush(board, source):
    dice = random.Random(10)
    board.run(START)
    load(board, ("accumulate", "flush"), source)
    ring, target = bytearray([dice.randint(1, 255) for _ in range(12)]), bytearray(9)
    board.run(f"r=bytearray({bytes(ring)!r})\nt=bytearray(9)")
    for j, i, n in ((0, 0, 12), (5, 3, 4), (11, 2, 1), (0, 0, 12)):
        x = bytes([dice.choice([1, 255, dice.randint(1, 255)]) for _ in range(12)])
        plain.accumulate(x, ring, j, i << 16 | n)
        board.run(f"_=accumulate(array('i',{words(x)}),r,{j},{i << 16 | n})")
        assert board.run("print(list(r))").strip() == str(list(ring))
    assert {1, 255} < set(ring)
    plain.flush(ring, 2, target, 4 << 11 | 5)
    board.run(f"_=flush(r,2,t,{4 << 11 | 5})")
    assert board.run("print(list(r),list(t))").strip() == f"{list(ring)} {list(target)}"


def test_segments(board, source):
    dice = random.Random(9)
    board.run(START)
    load(board, ("segment_max", "segment_error"), source)
    m, j = 6, 3
    largest, places = bytearray(j + m), bytearray(j + m)
    board.run(f"f=array('i',{words(largest)})\ng=bytearray({j + m})\n")
    for place in (0, 1, 7, 255):
        z = plain.accumulators(m)
        for i in range(m):
            z[i] = dice.choice([127, 128, -127, -128, 5000, -5000, dice.randint(-127, 127)])
        packed = place << 22 | j << 11 | m
        plain.segment_max(z, largest, places, packed)
        board.run(f"z=array('i',{list(z)})")
        assert board.run(f"print(segment_max(z,f,g,{packed}),list(g))").strip() == f"0 {list(places)}"
        assert board.run("print(list(f))").strip() == str(words(largest))
        some = plain.segment_error(largest, places, z, packed)
        assert board.run(f"print(segment_error(f,g,z,{packed}),list(z))").strip() == f"{some} {list(z)}"
    assert len(set(places)) > 1
    packed = 99 << 22 | j << 11 | m
    assert board.run(f"print(segment_error(f,g,z,{packed}),list(z))").strip() == f"0 {[0] * m}"


def test_instructions_of_a_weight(board, record_property):
    for cost in measure.measure_kernels(board, (32, 33, 61)):
        print(f"rows of {cost.n}: {cost.forward:.2f} instructions/MAC, {cost.update:.2f} instructions/weight")
        print(f"                {cost.backward:.2f} for an update that sends feedback")
        record_property(f"n{cost.n}", [cost.forward, cost.update, cost.backward])
        assert cost.forward <= 6
        assert cost.update <= 12
        assert cost.backward <= 20


def test_instructions_of_a_training_step(board, record_property):
    """A whole step of 60-32-16-6, run by network.py itself."""
    counts = measure.measure_step(board)
    print(f"training step of 60-32-16-6: {min(counts):.0f} to {max(counts):.0f} instructions")
    record_property("step", counts)
    assert len(counts) == 8
    assert max(counts) <= 71_000


def test_a_temporal_network_takes_fewer_instructions_than_a_recurrent_one(record_property):
    """Both learn samples of 12 steps from feedback, the temporal one in no more memory."""
    rnn, tdnn = series.series_costs()
    for cost in (rnn, tdnn):
        print(f"{cost.network}: {cost.mean:.0f} instructions a step, {cost.planned} bytes of buffers")
        record_property(cost.network, cost.instructions)
        assert len(cost.instructions) == series.SAMPLES
    assert tdnn.planned <= rnn.planned
    assert tdnn.mean < 0.9 * rnn.mean


def test_a_temporal_step_allocates_nothing(board):
    here = Network(series.temporal(), plain)
    twin.move_in(board, here)
    script = "build()\nr=0\ngc.collect()\nfor i in range(len(N.sample)-1):N.sample[i]=i*37%255+1\n"
    script += "for w in W:\n for i in range(1,len(w),2):w[i]=128+i%9\n"
    board.run(script)
    assert board.run("micropython.heap_lock()\nr=N.train(1)\nmicropython.heap_unlock()\nprint(r>=0)") == "True"


def test_where_a_training_step_goes(board, record_property):
    share = measure.measure_share(board)
    print(
        f"of a step the kernels take {share.kernels:.0f}; a call {share.call:.0f}, an attribute {share.attribute:.0f}"
    )
    record_property("kernels", share.kernels)
    macs = sum([m * n for m, n in measure.NET])
    assert 8 * macs < share.kernels < 18 * macs


def test_ram_of_the_reference_net(board, record_property):
    """All that training 60-32-16-6 keeps on the heap: objects count, code does not."""
    used = measure.measure_heap(board)
    print(f"60-32-16-6 in training: {used} bytes of heap, {used / 2582:.2f} a parameter")
    record_property("bytes", used)
    assert used <= 6.5 * 1024


@pytest.mark.parametrize(
    ("question", "kernels", "wanted"),
    [
        ("learned", ("load", "reset_state", "forward", "leak", "error", "update", "copy", "clamp", "_softmax"),
         selftest.ANSWER[:2]),
        ("fed_back", ("load", "forward", "clamp", "error", "backward", "masked_error", "update"), selftest.ANSWER[2]),
        ("mapped", ("load", "max_pool", "track_max", "accumulate", "flush", "draw"), selftest.ANSWER[3]),
        ("segmented", ("load", "forward", "segment_max", "segment_error", "clamp", "max_pool"), selftest.ANSWER[4]),
    ],
)  # fmt: skip
def test_boot_self_test(board, question, kernels, wanted):
    """The test by which :func:`runtime.engine` checks an engine before it uses it."""
    assert set(kernels) <= set(KERNELS)
    board.shorten = trim.shortener(LONG)
    board.run(IMPORTS)
    for module, names in (
        ("selftest", [question]),
        ("runtime", ["crc32"]),
        ("kernels_thumb", ["activations"]),
        ("buffers", ["accumulators", "states", "matrix", "positions"]),
        ("parameters", ["pack"]),
    ):
        for piece in trim.pieces(module, names):
            send(board, piece)
    load(board, kernels, trim.assembled)
    if question == "learned":
        load_softmax(board)
    assert board.run(f"print({question}(k))") == str(wanted)


#: A line is a class (255: only predict) and a sample, two characters for each byte. An empty line asks for the weights.
LOOP = """def fill():
 s=array('I',[9])
 for w in W:
  for i in range(0,len(w),2):
   w[i]=draw(s,256);w[i+1]=120+draw(s,17)
def go():
 print('go')
 s=N.sample
 while 1:
  t=input()
  if not t:break
  for i in range(len(s)-1):s[i]=(ord(t[2*i+3])-48)*16+ord(t[2*i+4])-48
  y=int(t[:3])
  print(N._run(y,None if y==255 else N.rates))
 for w in W:
  for v in w:print('%02x'%v,end='')
 print()
"""

#: The best settings by ``python tests/device/gestures.py``, which never sees the test recordings.
CHOSEN = gestures.Settings(leak=0, amplitude=30, recurrent=11, output=5)


@pytest.mark.skipif(not gestures.WAND.exists(), reason=f"no gesture recordings in {gestures.WAND}")
def test_trains_a_gesture_rnn_in_nine_kilobytes(board, record_property):
    train, test = gestures.stored(*gestures.divide(gestures.recordings(), 0))
    here = gestures.network(CHOSEN)
    twin.move_in(board, here, LOOP)
    free = int(board.run("gc.collect()\nprint(gc.mem_free())"))
    script = "gc.collect()\na=gc.mem_alloc()\nbuild()\ngc.collect()\na=gc.mem_alloc()-a\nfill()\nprint(a)\ngo()"
    used = int(board.begin(script, "go\n"))

    def answer(y, sample):
        return int(board.say(f"{y:03}" + "".join([chr(48 + (b >> 4)) + chr(48 + (b & 15)) for b in sample])))

    for y, sample in train * gestures.EPOCHS:
        here.sample[:-1] = sample
        assert answer(y, sample) == here.train(y)
    right = sum([answer(255, sample) >> 8 == y for y, sample in test])
    assert bytes.fromhex(board.end()) == b"".join(here.weights())
    accuracy = right / len(test)
    print(
        f"wand gestures, RNN 6-16, K=4: {accuracy:.1%} of {len(test)} after {gestures.EPOCHS} x {len(train)} samples; "
        f"{used} bytes of heap for the network, {free} were free with the trainer loaded"
    )
    record_property("accuracy", accuracy)
    assert accuracy >= 0.9

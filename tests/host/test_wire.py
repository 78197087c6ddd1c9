"""Frames among text: nothing lost, nothing made up, whatever the pieces (SPEC 4)."""

import io
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tpsgd import frames as device
from tpsgd_host.link.wire import Decoder, Frame

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=200))
TEXT = st.text(max_size=40).map(lambda text: text.encode())


def decode(data: bytes, cuts: list[int]) -> tuple[list[Frame], bytes]:
    """Return the frames and the text in ``data``, fed in pieces."""
    decoder, found, text = Decoder(), [], b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        for item in decoder.feed(data[begin:end]):
            if isinstance(item, Frame):
                found.append(item)
            else:
                text += item
    return found, text


@given(st.lists(st.tuples(TEXT, FRAMES), max_size=6), TEXT, st.lists(st.integers(0, 5000), max_size=8))
def test_frames_and_text_come_apart_wherever_the_stream_is_cut(parts, tail, cuts):
    data = b"".join(text + frame.encode() for text, frame in parts) + tail
    found, text = decode(data, cuts)
    assert found == [frame for _, frame in parts]
    assert text == b"".join(text for text, _ in parts) + tail


@given(FRAMES, st.integers(0, 10_000), st.integers(1, 255), FRAMES)
def test_a_damaged_frame_is_dropped_and_the_next_one_found(frame, position, flip, following):
    damaged = bytearray(frame.encode())
    damaged[position % len(damaged)] ^= flip
    # The rest after it lets a decoder that waits for a longer frame find out.
    data = bytes(damaged) + following.encode() + bytes(220)
    found, _ = decode(data, [])
    assert following in found
    assert frame not in [item for item in found if item != following]


@settings(max_examples=300)
@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=5))
def test_any_bytes_are_taken(data, cuts):
    for frame in decode(data, cuts)[0]:
        assert frame.encode() in data


@given(st.binary(max_size=300), st.lists(FRAMES, min_size=1, max_size=4))
def test_the_device_finds_the_same_frames(noise, sent):
    stream = noise + b"".join(frame.encode() for frame in sent) + bytes(220)
    expected, _ = decode(stream, [])
    link = device.Frames(io.BytesIO(stream), io.BytesIO())
    found = []
    while link.receive():
        found.append(Frame(link.kind, link.number, bytes(link.payload[4 : 4 + link.length])))
    assert found == expected


def test_the_layout_is_that_of_the_specification():
    # sync, length, type, number, payload, and zlib's CRC-32 of length to payload, little-endian
    assert Frame(0x04, 7, b"ab").encode().hex() == "f5" + "02" + "04" + "07" + "6162" + "3d7f95e9"

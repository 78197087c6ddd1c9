"""Two slots: whatever byte the power fails at, the newest valid checkpoint stays (SPEC 3)."""

from __future__ import annotations

import builtins
import io

import cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsgd import checkpoint, runtime
from tpsgd.modelfile import Model
from tpsgd.network import build

CRC = 0x12345678


def network(case=0):
    """Return a network and a way to make it learn a step."""
    file = io.BytesIO(cases.model_bytes(case))
    return build(file, Model(file), runtime.engine(1))


def learn(net, step):
    for j in range(len(net.sample) - 1):
        net.sample[j] = 1 + (step * 31 + j * 7) % 255
    net.train(step % net.classes)


@pytest.mark.parametrize("case", [0, 1, 3, 5])
def test_a_network_goes_on_where_it_was_saved(tmp_path, case):
    folder = f"{tmp_path}/"
    net = network(case)
    net.begin(30)
    for step in range(10):
        learn(net, step)
    checkpoint.save(folder, net, CRC, 7, 10)
    for step in range(10, 30):
        learn(net, step)
    again = network(case)
    found = checkpoint.newest(folder, again, CRC)
    assert (found.run_id, found.seen, found.total, found.applied, found.generation) == (7, 10, 30, 10, 1)
    checkpoint.load(found, again)
    for step in range(10, 30):
        learn(again, step)
    assert again.crc() == net.crc()
    assert again.state[0] == net.state[0]


def test_slots_take_turns_and_the_newest_wins(tmp_path):
    folder = f"{tmp_path}/"
    net = network()
    for step in range(5):
        learn(net, step)
        assert checkpoint.save(folder, net, CRC, 1, step) == step + 1
        assert checkpoint.newest(folder, net, CRC).applied == step
    generations = sorted(checkpoint.read(folder + slot, checkpoint.size(net)).generation for slot in checkpoint.SLOTS)
    assert generations == [4, 5]


def test_a_checkpoint_of_another_model_is_left_alone(tmp_path):
    net = network()
    checkpoint.save(f"{tmp_path}/", net, CRC, 1, 1)
    assert checkpoint.newest(f"{tmp_path}/", net, CRC + 1) is None


def test_a_power_cut_at_every_byte_leaves_the_newer_slot(tmp_path, monkeypatch):
    folder = f"{tmp_path}/"
    net = network()
    learn(net, 0)
    checkpoint.save(folder, net, CRC, 1, 1)
    learn(net, 1)
    checkpoint.save(folder, net, CRC, 1, 2)
    keep = {slot: (tmp_path / slot).read_bytes() for slot in checkpoint.SLOTS}
    learn(net, 2)
    size = checkpoint.size(net)

    class PowerCutError(Exception):
        pass

    class Torn(io.FileIO):
        """A file whose writes reach the medium up to a byte, and then the power is gone."""

        left = 0

        def write(self, data):
            data = bytes(data)
            if len(data) > Torn.left:
                super().write(data[: Torn.left])
                raise PowerCutError
            Torn.left -= len(data)
            return super().write(data)

    real = builtins.open
    for cut in range(size):
        for slot, data in keep.items():
            (tmp_path / slot).write_bytes(data)
        Torn.left = cut
        with monkeypatch.context() as patch:
            patch.setattr(builtins, "open", lambda p, m="r", *a: Torn(p, m) if "w" in m else real(p, m, *a))
            with pytest.raises(PowerCutError):
                checkpoint.save(folder, net, CRC, 1, 3)
        found = checkpoint.newest(folder, net, CRC)
        assert found is not None, f"no valid checkpoint after a cut at byte {cut}"
        assert found.applied == 2, f"cut at byte {cut}"


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_slot_is_not_taken(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("slots")
    net = network()
    checkpoint.save(f"{folder}/", net, CRC, 1, 1)
    path = folder / checkpoint.SLOTS[0]
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), at]))])
    assert checkpoint.newest(f"{folder}/", net, CRC) is None


def test_a_slot_of_zeros_or_longer_than_it_says_is_not_taken(tmp_path):
    net = network()
    checkpoint.save(f"{tmp_path}/", net, CRC, 1, 1)
    path = tmp_path / checkpoint.SLOTS[0]
    raw = path.read_bytes()
    for wrong in (b"", bytes(len(raw)), raw + b"\0"):
        path.write_bytes(wrong)
        assert checkpoint.newest(f"{tmp_path}/", net, CRC) is None

"""The planned bytes are those of the buffers that a network really has, whatever an engine keeps for an activation."""

from __future__ import annotations

import io
from array import array
from types import SimpleNamespace

import pytest
from networks import conv_model, recurrent_model, stacked_model

from tpsgd import kernels_plain, modelfile, plan
from tpsgd.network import build
from tpsgd_host.bench.timing import network
from tpsgd_host.model.modelfile import memory


def words(n, over=None):
    """Return activations as inline assembler keeps them."""
    return array("i", [0] * (n - 1) + [127])


ENGINES = {"viper": kernels_plain, "thumb": SimpleNamespace(**{**vars(kernels_plain), "activations": words})}
MODELS = {
    "MLP": network(), "one layer": network((60, 6)), "RNN": recurrent_model(6, 16, 3, 12, 4),
    "two recurrent layers": stacked_model(), "CNN": conv_model(), "CNN without a dense layer": conv_model(dense=False),
    "CNN of feedback": conv_model(feedback=True), "no dense layer": conv_model(dense=False, feedback=True),
}  # fmt: skip


def buffers_in(held):
    """Return the buffers in nested tuples, by their identity."""
    found = {}
    for one in held:
        if isinstance(one, tuple):
            found |= buffers_in(one)
        elif isinstance(one, (bytearray, array)):
            found[id(one)] = one
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_buffer_is_planned(model, engine):
    data = model.to_bytes()
    parsed = modelfile.Model(io.BytesIO(data))
    net = build(io.BytesIO(data), parsed, ENGINES[engine])
    held = [net.sample, net.state, net.output, net.dense, net.front]
    for layer in net.layers:
        held += [layer.w, layer.p]
    held = buffers_in(held).values()
    planned = plan.buffers(parsed, plan.WORDS[engine])
    assert plan.total(planned) == sum(memoryview(buffer).nbytes for buffer in held)
    assert memory(model, engine).total == plan.total(planned) + plan.total(plan.link_buffers())

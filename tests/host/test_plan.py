"""The planned bytes are those of the buffers that a network really has, whatever an engine keeps for an activation."""

from __future__ import annotations

import io
from array import array
from types import SimpleNamespace

import pytest
from test_memory import recurrent_model

from tpsgd import kernels_plain, modelfile, plan
from tpsgd.network import build
from tpsgd_host.bench.timing import network
from tpsgd_host.model import memory


def words(n, over=None):
    """Return activations as inline assembler keeps them."""
    return array("i", [0] * (n - 1) + [127])


ENGINES = {"viper": kernels_plain, "thumb": SimpleNamespace(**{**vars(kernels_plain), "activations": words})}
MODELS = {"MLP": network(), "one layer": network((60, 6)), "RNN": recurrent_model(6, 16, 3, 12, 4)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_buffer_is_planned(model, engine):
    data = model.to_bytes()
    parsed = modelfile.Model(io.BytesIO(data))
    net = build(io.BytesIO(data), parsed, ENGINES[engine])
    held = [net.sample, net.state, *net.output]
    for layer in net.layers:
        held += [layer.w, layer.p]
    for step in (*net.dense, getattr(net, "recurrent", ())):
        held += step
    buffers = {id(buffer): memoryview(buffer).nbytes for buffer in held if not isinstance(buffer, int)}
    planned = plan.buffers(parsed, plan.WORDS[engine])
    assert plan.total(planned) == sum(buffers.values())
    assert memory(model, engine).total == plan.total(planned) + plan.total(plan.link_buffers())

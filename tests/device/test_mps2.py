"""The inner loops in C and assembler for Cortex-M: their bits and their instructions, counted in QEMU."""

import pytest

from tpsgd_host.bench.emulated import mps2

pytestmark = pytest.mark.skipif(mps2.missing() is not None, reason=str(mps2.missing()))

#: Most instructions allowed: forward, its frozen form, update, backward.
LIMITS = {
    "armv6m": (4.0, 4.0, 9.0, 15.5),
    "armv7m": (4.0, 4.0, 12.0, 17.0),
    "armv7emsp": (3.0, 4.0, 10.5, 17.0),
}


@pytest.mark.parametrize("arch", LIMITS)
def test_the_bits_and_the_instructions_of_a_weight(arch, record_property):
    cost = mps2.loop_cost(arch)
    print(f"{arch}: {cost}")
    record_property("cost", str(cost))
    assert cost.crc == mps2.host_crc()
    for found, most in zip((cost.forward, cost.frozen, cost.update, cost.backward), LIMITS[arch], strict=True):
        assert 1 < found <= most

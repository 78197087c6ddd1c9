"""How much of a line of 115,200 baud is used while a board trains, and how much of the training it hides.

python tests/campaigns/throughput.py

A fast network must use 90% of what the line can carry in frames (payload / (payload + overhead)); for a slow one the
time on the line and in the trainer overlap.
"""

from __future__ import annotations

import argparse

import base  # noqa: F401  (finds the helpers)

from tpsgd.plan import PAYLOAD
from tpsgd_host.bench.link import measure_link
from tpsgd_host.link.session import HEAD, OVERHEAD, RESERVE


def capacity(receive_buffer: int) -> float:
    """Return the share of a line that records can take, in the frames that a receive buffer allows."""
    size = min(PAYLOAD - HEAD, (receive_buffer - RESERVE) // 2 - OVERHEAD)
    return size / (size + OVERHEAD)


def measure(seconds: float, receive_buffer: int | None) -> tuple[float, float]:
    """Return the share of the capacity that the fast network used, and the overlap of the slow one."""
    fast, slow = measure_link(115200, seconds, receive_buffer)
    used = fast.share / capacity(fast.receive_buffer)
    print(
        f"receive buffer {fast.receive_buffer}: fast network {fast.share:.1%} of the line, {used:.1%} of its capacity; "
        f"slow network: line {slow.line:.2f} s, trainer {slow.compute:.2f} s, both {slow.both:.2f} s, "
        f"overlap {slow.overlap:.0%}",
        flush=True,
    )
    return used, slow.overlap


def main() -> int:
    """Run the campaign; 1 where the line is used too little."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the line shall be busy")
    options = parser.parse_args()
    return 1 if min(measure(options.seconds, receive_buffer)[0] for receive_buffer in (240, None)) < 0.9 else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The test that an engine must pass before it is used: it finds a wrong function, whichever it is."""

import sys

from test_golden import engines

from tpsgd import kernels_plain, runtime

FUNCTIONS = (
    "load", "copy", "reset_state", "forward", "clamp", "leak", "error", "softmax", "update", "backward", "masked_error",
    "max_pool", "track_max", "segment_max", "segment_error", "accumulate", "flush",
    "draw",
)  # fmt: skip


class Broken:
    """The plain engine with one function that does nothing."""

    def __init__(self, name):
        for other in dir(kernels_plain):
            if other[0] != "_":
                setattr(self, other, getattr(kernels_plain, other))
        setattr(self, name, lambda *args: 0)


def test_every_engine_answers_right():
    from tpsgd import selftest

    found = engines()
    assert found
    for k in found:
        assert selftest.answer(k) == selftest.ANSWER, k.NAME


def test_an_engine_with_a_wrong_function_is_found():
    from tpsgd import selftest

    for name in FUNCTIONS:
        assert selftest.answer(Broken(name)) != selftest.ANSWER, name


def test_an_engine_that_answers_wrong_is_left_out():
    kept = kernels_plain.masked_error
    kernels_plain.masked_error = lambda *args: None
    try:
        runtime.engine(1)
    except ImportError:
        return
    finally:
        kernels_plain.masked_error = kept
    raise AssertionError("the engine was taken")


def test_a_board_does_not_keep_the_test():
    sys.modules.pop("tpsgd.selftest", None)
    runtime.engine(1)
    assert ("tpsgd.selftest" in sys.modules) == runtime.HOST

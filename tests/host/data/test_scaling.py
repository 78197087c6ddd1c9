"""Input scaling: range, order, rounding, and channels that say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tpsgd_host.data.scaling import Scaling, fit
from tpsgd_host.errors import ConfigError, DataError

READING = st.floats(-1e6, 1e6, width=32)
SAMPLES = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3)), elements=READING)
METHODS = st.sampled_from(["std", "minmax", "none"])


def vector(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@given(SAMPLES, METHODS, st.booleans())
def test_encoded_bytes_are_activations(values, method, per_channel):
    stored = fit(values, method, per_channel).encode(values)
    assert stored.dtype == np.uint8
    assert stored.shape == (len(values), values.shape[1] * values.shape[2])
    assert stored.min() >= 1


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=30), READING, st.floats(0, 1e6, width=32))
def test_encoding_keeps_the_order(readings, offset, gain):
    values = np.sort(np.array(readings)[np.isfinite(readings)])
    stored = Scaling(vector(offset), vector(gain)).encode(values.reshape(-1, 1, 1)).ravel().astype(int)
    assert (np.diff(stored) >= 0).all()


@given(READING, READING, st.floats(-1e3, 1e3, width=32))
def test_encoding_is_the_formula(reading, offset, gain):
    x = max(-127, min(127, math.floor((reading - offset) * gain + 0.5)))
    assert Scaling(vector(offset), vector(gain)).encode(np.array([[[reading]]]))[0, 0] == x + 128


def test_halves_are_rounded_up():
    values = np.array([-1.5, -0.5, 0.5, 1.5]).reshape(4, 1, 1)
    assert Scaling(vector(0), vector(1)).encode(values).ravel().tolist() == [127, 128, 129, 130]


def test_steps_and_channels_keep_their_order():
    values = np.array([[[1.0, 20.0], [3.0, 40.0]]])
    stored = Scaling(vector(0, 10), vector(1, 2)).encode(values)
    assert stored.tolist() == [[129, 148, 131, 188]]


def test_std():
    values = np.array([[[0.0, 5.0]], [[2.0, 5.5]]])
    scaling = fit(values, "std", sigmas=2.0)
    np.testing.assert_allclose(scaling.offset, [1, 5.25])
    np.testing.assert_allclose(scaling.gain, [63.5, 254])
    assert scaling.constant == ()
    assert scaling.offset.dtype == scaling.gain.dtype == np.float32


def test_minmax_reaches_both_ends():
    values = np.array([[[-3.0]], [[1.0]], [[5.0]]])
    assert fit(values, "minmax").encode(values).ravel().tolist() == [1, 128, 255]


def test_one_pair_for_all_channels():
    values = np.array([[[0.0, 10.0]], [[5.0, 10.0]]])
    scaling = fit(values, "minmax", per_channel=False)
    assert scaling.offset.tolist() == [5] and scaling.gain.shape == (1,)
    assert scaling.constant == ()


def test_none_leaves_activations_alone():
    values = np.arange(-127, 128.0).reshape(-1, 1, 1)
    assert fit(values, "none").encode(values).ravel().tolist() == list(range(1, 256))


@pytest.mark.parametrize("method", ["std", "minmax"])
def test_constant_channels_are_named_and_silent(method):
    values = np.zeros((4, 2, 3))
    values[..., 0] = np.arange(8).reshape(4, 2)
    values[..., 1] = 0.1  # its computed deviation is not quite 0
    scaling = fit(values, method)
    assert scaling.constant == (1, 2)
    assert scaling.gain[1:].tolist() == [0, 0]
    assert (scaling.encode(values).reshape(4, 2, 3)[..., 1:] == 128).all()
    assert fit(np.ones((2, 2, 2)), method, per_channel=False).constant == (0, 1)


def test_a_spread_too_small_for_float32_counts_as_constant():
    values = np.array([0.0, 1e-300]).reshape(2, 1, 1)
    assert fit(values, "minmax").constant == (0,)


@given(arrays(np.float64, (6, 2, 2), elements=st.floats(-1e3, 1e3, width=32)))
def test_decoding_is_off_by_half_a_step_at_most(values):
    scaling = fit(values, "minmax")
    back = scaling.decode(scaling.encode(values), channels=2)
    assert back.shape == values.shape
    step = np.where(scaling.gain > 0, 1 / np.where(scaling.gain > 0, scaling.gain, 1), 0)
    assert (np.abs(back - values) <= 0.5 * step + 1e-3).all()


def test_a_slip_of_the_sensor_has_no_say():
    """One reading of 1e9 once made all others one activation."""
    values = np.random.default_rng(1).normal(size=(40, 16, 2))
    slipped = values.copy()
    slipped[3, 2, 0] = 1e9
    clean, mended = fit(values), fit(slipped)
    assert np.allclose(mended.gain, clean.gain, rtol=0.01)
    assert mended.encode(slipped)[3, 4] == 255, "it is clamped"
    often = values.copy()
    often[::10, 2, 0] = 1e9  # what comes once in 160 readings is what the sensor saw
    assert fit(often).gain[0] < 1e-3 * clean.gain[0]
    assert fit(slipped, "minmax").gain[0] < 1e-3, "minmax means the extremes"


def test_what_cannot_be_fitted():
    with pytest.raises(DataError):
        fit(np.empty((0, 2, 2)))
    with pytest.raises(DataError):
        fit(np.array([[[np.nan]]]))
    with pytest.raises(DataError):
        fit(np.array([[[1e39]]]))
    with pytest.raises(ConfigError):
        fit(np.ones((1, 1, 1)), sigmas=0)
    with pytest.raises(ValueError, match="equal length"):
        Scaling(vector(0, 1), vector(1))

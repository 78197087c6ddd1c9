"""Orders: permutations, and the same ones everywhere."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.data.order import Generator, epochs, mix, permutation

SEEDS = st.integers(0, 2**32 - 1)


@given(st.integers(0, 300), SEEDS)
def test_every_index_once(n, seed):
    assert sorted(permutation(n, seed).tolist()) == list(range(n))


def test_seed_0_is_the_order_of_the_file():
    assert [order.tolist() for order in epochs(4, 2, 0)] == [[0, 1, 2, 3]] * 2


def test_each_epoch_has_its_own_order_and_the_first_is_the_permutation():
    orders = [tuple(order) for order in epochs(50, 5, 7)]
    assert len(set(orders)) == 5
    assert orders[0] == tuple(permutation(50, 7))
    assert orders == [tuple(order) for order in epochs(50, 5, 7)]


def test_orders_never_change_between_versions():
    assert permutation(10, 1).tolist() == [0, 8, 5, 6, 1, 3, 9, 2, 7, 4]
    assert Generator(1).next() == 3630687087


def test_the_generator_is_xorshift32():
    generator = Generator(0)
    assert generator.state == mix(0) == 1
    assert [generator.next() for _ in range(2)] == [270369, 67634689]  # as published, from 1


@given(SEEDS, st.integers(1, 1 << 20))
def test_draws_are_in_range(seed, n):
    assert 0 <= Generator(seed).draw(n) < n


def test_no_place_is_preferred():
    first = Counter(int(permutation(5, seed)[0]) for seed in range(1, 2001))
    assert all(320 < first[i] < 480 for i in range(5))


def test_large_orders_reach_odd_places():
    moved = permutation(200_000, 3)
    assert (moved[:1000] % 2).sum() > 400

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax import batching, entropy, information

FUNCTIONS = {
    "joint_entropy": entropy.joint_entropy,
    "joint_mutual_information": information.joint_mutual_information,
    "pairwise_mutual_information": lambda x: information.pairwise_mutual_information(x, x[:2]),
    "tree_total_correlation": information.tree_total_correlation,
}
LOG_PROBS = reference.log32(reference.random_probs(0, 5, 4, 3, "zeros"))


def compute(function, budget=None):
    """The value, and the gradient of the sum of its numbers, with chunks of that many numbers."""

    def both(log_probs):
        value, pull_back = jax.vjp(function, log_probs)
        return value, *pull_back(jnp.ones_like(value))

    with pytest.MonkeyPatch.context() as patched:
        if budget is not None:
            patched.setattr(inspect.unwrap(batching.rows_per_chunk), "__defaults__", (budget,))
            assert batching.rows_per_chunk(9, 5) < 5
        return jax.jit(both)(LOG_PROBS)


@functools.cache
def computed_at_once(name):
    return compute(FUNCTIONS[name])


@pytest.mark.parametrize("num_rows", slow_but([1, 2, 7, 12], 1, 7))
def test_every_row_comes_out_once_and_in_order_for_every_chunk_size(num_rows):
    @jax.jit
    def mapped_in_chunks(rows):
        return [
            batching.map_chunks(
                lambda start, size=size: jax.lax.dynamic_slice_in_dim(rows, start, size), num_rows, size
            )
            for size in range(1, num_rows + 1)
        ]

    rows = np.arange(2 * num_rows).reshape(num_rows, 2)
    for mapped in mapped_in_chunks(rows):
        np.testing.assert_array_equal(mapped, rows)


def test_pytrees_of_arrays_of_any_rank():
    def count(start):
        rows = start + jnp.arange(3)
        return {"row": rows, "table": jnp.stack([rows, -rows], axis=1)}

    mapped = jax.jit(lambda: batching.map_chunks(count, 8, 3))()
    np.testing.assert_array_equal(mapped["row"], np.arange(8))
    np.testing.assert_array_equal(mapped["table"], np.stack([np.arange(8), -np.arange(8)], axis=1))


def test_rows_without_numbers_are_as_many():
    assert batching.map_chunks(lambda start: jnp.zeros((3, 0)), 8, 3).shape == (8, 0)


def test_no_chunk_reaches_past_the_last_row():
    starts = []

    def note(start):
        jax.debug.callback(lambda value: starts.append(int(value)), start)
        return start + jnp.arange(4)

    jax.block_until_ready(jax.jit(lambda: batching.map_chunks(note, 10, 4))())
    jax.effects_barrier()
    assert sorted(starts) == [0, 4, 6]


@pytest.mark.parametrize(
    ("row_size", "num_rows", "budget", "expected"),
    [(10, 100, 1000, 100), (10, 100, 999, 99), (10, 100, 55, 5), (10, 100, 1, 1), (0, 5, 10, 5), (10**9, 5, 10, 1)],
)
def test_as_many_rows_as_the_budget_allows_and_at_least_one(row_size, num_rows, budget, expected):
    assert batching.rows_per_chunk(row_size, num_rows, budget) == expected


def test_an_accelerator_computes_more_rows_at_a_time(monkeypatch):
    on_cpu = batching.rows_per_chunk(100, 10**9)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert batching.rows_per_chunk(100, 10**9) > 10 * on_cpu
    with jax.default_device(jax.devices("cpu")[0]):
        assert batching.rows_per_chunk(100, 10**9) == on_cpu


# 9 classes' worth of pairs or configurations a row: from single rows through sizes that do not divide to all at once.
@pytest.mark.parametrize("budget", slow_but([1, 20, 30], 1))
@pytest.mark.parametrize("name", slow_but(FUNCTIONS, "pairwise_mutual_information"))
def test_results_and_gradients_do_not_depend_on_the_chunk_size(name, budget):
    for found, expected in zip(compute(FUNCTIONS[name], budget), computed_at_once(name), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("at_once", slow_but([1, 2, 3, 5, 9], 2, 9))
def test_rows_are_mapped_some_at_once_in_their_order(at_once):
    @jax.jit
    def sums(rows):
        return batching.map_some_at_once(
            lambda row: row["a"] + jnp.sum(row["b"]).astype(jnp.int32), rows, at_once=at_once
        )

    rows = {"a": np.arange(5, dtype=np.int32), "b": np.arange(10, dtype=np.float32).reshape(5, 2)}
    np.testing.assert_array_equal(sums(rows), [1, 6, 11, 16, 21])

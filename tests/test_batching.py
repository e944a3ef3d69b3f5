import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from lbb_jax import batching, entropy, information

FUNCTIONS = [
    pytest.param(entropy.joint_entropy, id="joint_entropy"),
    pytest.param(information.joint_mutual_information, id="joint_mutual_information"),
    pytest.param(lambda x: information.pairwise_mutual_information(x, x[:2]), id="pairwise_mutual_information"),
    pytest.param(information.tree_total_correlation, id="tree_total_correlation"),
]


@pytest.mark.parametrize("num_rows", [1, 2, 7, 12])
def test_every_row_comes_out_once_and_in_order_for_every_chunk_size(num_rows):
    rows = jnp.arange(2 * num_rows).reshape(num_rows, 2)
    for chunk_size in range(1, num_rows + 1):
        mapped = batching.map_chunks(
            lambda start, size=chunk_size: jax.lax.dynamic_slice_in_dim(rows, start, size), num_rows, chunk_size
        )
        np.testing.assert_array_equal(mapped, rows, err_msg=f"chunk_size={chunk_size}")


def test_pytrees_of_arrays_of_any_rank():
    def count(start):
        rows = start + jnp.arange(3)
        return {"row": rows, "table": jnp.stack([rows, -rows], axis=1)}

    mapped = batching.map_chunks(count, 8, 3)
    np.testing.assert_array_equal(mapped["row"], np.arange(8))
    np.testing.assert_array_equal(mapped["table"], np.stack([np.arange(8), -np.arange(8)], axis=1))


def test_rows_without_numbers_are_as_many():
    assert batching.map_chunks(lambda start: jnp.zeros((3, 0)), 8, 3).shape == (8, 0)


def test_no_chunk_reaches_past_the_last_row():
    starts = []

    def note(start):
        jax.debug.callback(lambda value: starts.append(int(value)), start)
        return start + jnp.arange(4)

    jax.block_until_ready(batching.map_chunks(note, 10, 4))
    jax.effects_barrier()
    assert sorted(starts) == [0, 4, 6]


@pytest.mark.parametrize(
    ("row_size", "num_rows", "budget", "expected"),
    [(10, 100, 1000, 100), (10, 100, 999, 99), (10, 100, 55, 5), (10, 100, 1, 1), (0, 5, 10, 5), (10**9, 5, 10, 1)],
)
def test_as_many_rows_as_the_budget_allows_and_at_least_one(row_size, num_rows, budget, expected):
    assert batching.rows_per_chunk(row_size, num_rows, budget) == expected


# 9 classes' worth of pairs or configurations a row: from single rows through sizes that do not divide to all at once.
@pytest.mark.parametrize("budget", [1, 20, 30])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_results_do_not_depend_on_the_chunk_size(function, budget, monkeypatch):
    log_probs = jnp.asarray(reference.log32(reference.random_probs(0, 5, 4, 3, "zeros")))
    whole = jax.jit(lambda x: function(x))(log_probs)
    monkeypatch.setattr(inspect.unwrap(batching.rows_per_chunk), "__defaults__", (budget,))
    assert batching.rows_per_chunk(9, 5) < 5
    np.testing.assert_allclose(jax.jit(lambda x: function(x))(log_probs), whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_pass_through_chunks(function, monkeypatch):
    log_probs = jnp.asarray(reference.log32(reference.random_probs(1, 5, 4, 3, "zeros")))
    whole = jax.jit(jax.grad(lambda x: jnp.sum(function(x))))(log_probs)
    monkeypatch.setattr(inspect.unwrap(batching.rows_per_chunk), "__defaults__", (20,))
    in_chunks = jax.jit(jax.grad(lambda x: jnp.sum(function(x))))(log_probs)
    np.testing.assert_allclose(in_chunks, whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 9])
def test_rows_are_mapped_some_at_once_in_their_order(at_once):
    rows = {"a": jnp.arange(5), "b": jnp.arange(10.0).reshape(5, 2)}
    mapped = batching.map_some_at_once(
        lambda row: row["a"] + jnp.sum(row["b"]).astype(jnp.int32), rows, at_once=at_once
    )
    np.testing.assert_array_equal(mapped, [1, 6, 11, 16, 21])

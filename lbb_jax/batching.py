"""Mapping a function over the rows of arrays, some of them at a time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, PyTree, Shaped


def rows_per_chunk(row_size: int, num_rows: int, budget: int = 2**20) -> int:
    """How many rows keep an intermediate of ``row_size`` numbers a row within ``budget`` numbers, at least one."""
    return max(1, min(num_rows, budget // max(1, row_size)))


def map_chunks(
    function: Callable[[Int32[Array, ""]], PyTree], num_rows: int, chunk_size: int
) -> PyTree[Shaped[Array, "{num_rows} ..."]]:
    """Applies ``function`` to the start of every chunk and joins the results along their leading axis.

    All chunks have the same length; the last one starts early enough to be whole, so that nothing is padded.

    Args:
      function: Takes the first row ``[]`` (int32) of a chunk and returns a pytree of arrays ``[chunk_size, ...]``.
      num_rows: Number of rows in all, at least 1.
      chunk_size: Rows in a chunk, between 1 and ``num_rows``.

    Returns:
      The pytree of arrays ``[num_rows, ...]``.
    """
    if chunk_size == num_rows:
        return function(jnp.int32(0))
    starts = jnp.minimum(jnp.arange(0, num_rows, chunk_size, dtype=jnp.int32), num_rows - chunk_size)
    length_of_last = num_rows - (len(starts) - 1) * chunk_size

    def join(chunks: jax.Array) -> jax.Array:
        whole = chunks[:-1].reshape((len(starts) - 1) * chunk_size, *chunks.shape[2:])
        return jnp.concatenate([whole, chunks[-1, chunk_size - length_of_last :]])

    return jax.tree.map(join, jax.lax.map(function, starts))


def map_some_at_once(
    function: Callable[[PyTree], PyTree], rows: PyTree[Shaped[Array, "n ..."]], *, at_once: int
) -> PyTree[Shaped[Array, "n ..."]]:
    """``vmap`` of ``function`` over ``at_once`` rows at a time, one group of rows after another.

    Args:
      function: From one row to a pytree of arrays.
      rows: Pytree of arrays ``[n, ...]``.
      at_once: At least 1; ``n`` or more for all.

    Returns:
      The pytree of arrays ``[n, ...]``. If ``at_once`` is 1, the result of a row does not depend on ``n``.
    """
    if at_once >= len(jax.tree.leaves(rows)[0]):
        return jax.vmap(function)(rows)
    return jax.lax.map(function, rows, batch_size=at_once if at_once > 1 else None)

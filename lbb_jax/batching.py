"""Mapping a function over the rows of arrays, as many at a time as suit the hardware."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, PyTree, Shaped

# An intermediate of 2**20 numbers fits the caches of a CPU; a GPU or TPU needs more to be busy.
_NUMBERS_ON_CPU, _NUMBERS_ON_ACCELERATOR = 2**20, 2**25


def is_on_cpu() -> bool:
    """Whether JAX's default device is a CPU. Arrays that are committed to another device do not count."""
    device = jax.config.jax_default_device
    return (getattr(device, "platform", device) or jax.default_backend()) == "cpu"


def rows_per_chunk(row_size: int, num_rows: int, budget: int | None = None) -> int:
    """How many rows keep an intermediate of ``row_size`` numbers a row within ``budget`` numbers, at least one.

    The default ``budget`` is the number that suits JAX's default device.
    """
    if budget is None:
        budget = _NUMBERS_ON_CPU if is_on_cpu() else _NUMBERS_ON_ACCELERATOR
    return max(1, min(num_rows, budget // max(1, row_size)))


def map_chunks(
    function: Callable[[Int32[Array, ""]], PyTree], num_rows: int, chunk_size: int, *, axis: int = 0
) -> PyTree[Shaped[Array, "..."]]:
    """Applies ``function`` to the start of every chunk and joins the results along one of their axes.

    All chunks have the same length; the last one starts early enough to be whole, so that nothing is padded.

    Args:
      function: Takes the first row ``[]`` (int32) of a chunk and returns a pytree of arrays whose ``axis`` has
        ``chunk_size`` elements.
      num_rows: Number of rows in all, at least 1.
      chunk_size: Rows in a chunk, between 1 and ``num_rows``.
      axis: 0 for results ``[chunk_size, ...]``, -1 for ``[..., chunk_size]``.

    Returns:
      The pytree of arrays whose ``axis`` has ``num_rows`` elements.
    """
    if chunk_size == num_rows:
        return function(jnp.int32(0))
    starts = jnp.minimum(jnp.arange(0, num_rows, chunk_size, dtype=jnp.int32), num_rows - chunk_size)
    length_of_last = num_rows - (len(starts) - 1) * chunk_size

    def join(chunks: jax.Array) -> jax.Array:
        last = jax.lax.slice_in_dim(chunks[-1], chunk_size - length_of_last, chunk_size, axis=axis)
        place = axis % last.ndim
        whole = jnp.moveaxis(chunks[:-1], 0, place)
        whole = whole.reshape(*last.shape[:place], (len(starts) - 1) * chunk_size, *last.shape[place + 1 :])
        return jnp.concatenate([whole, last], axis=axis)

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

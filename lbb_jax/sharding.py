"""Placing a pool, or the seeds of an experiment, on several devices. Nothing else knows about meshes.

The methods need no change for a pool on all devices, of one host or several: jit'ed functions follow where their
arguments lie. Each device scores its own points, and only the few candidates of each pick are exchanged. Seeds exchange
nothing: each device runs its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

POOL_AXIS = "pool"
SEED_AXIS = "seeds"


def pool_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh with one axis, over ``devices`` (default: all, of every process)."""
    devices = jax.devices() if devices is None else list(devices)
    return jax.make_mesh((len(devices),), (POOL_AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def shard_pool(log_probs: Any, available: Any = None, *, mesh: Mesh | None = None) -> tuple[jax.Array, jax.Array]:
    """Spreads the points of a pool over the devices of a mesh.

    Args:
      log_probs: ``[N, K, C]``, a NumPy or JAX array. With several processes each passes all of it, and only the rows
        that lie on its own devices are read: a memory-mapped file will do.
      available: Bool ``[N]``; None for all.
      mesh: From `pool_mesh`; None for all devices.

    Returns:
      ``log_probs[N', K, C]`` in float32 and ``available[N']``, where points that are not available make ``N'`` a
      multiple of the number of devices. Indices of points stay what they were.

    Raises:
      ValueError: If ``log_probs`` is not of rank 3 or ``available`` not of length ``N``.
    """
    if np.ndim(log_probs) != 3:
        raise ValueError(f"log_probs has shape {np.shape(log_probs)}: must be [N, K, C] (points, draws, classes)")
    num_points, num_draws, num_classes = log_probs.shape
    mask = np.ones(num_points, bool) if available is None else np.asarray(available)
    if mask.shape != (num_points,):
        raise ValueError(f"available has shape {mask.shape}: must be ({num_points},), one entry for each point")
    sharding = NamedSharding(pool_mesh() if mesh is None else mesh, PartitionSpec(POOL_AXIS))
    num_rows = -(-num_points // sharding.mesh.size) * sharding.mesh.size

    def rows_of(array: Any, index: tuple[slice, ...], dtype: type) -> np.ndarray:
        start, stop, _ = index[0].indices(num_rows)
        rows = np.asarray(array[start : min(stop, num_points)], dtype)
        return np.concatenate([rows, np.zeros((stop - start - len(rows), *rows.shape[1:]), dtype)])

    return (
        jax.make_array_from_callback(
            (num_rows, num_draws, num_classes), sharding, lambda index: rows_of(log_probs, index, np.float32)
        ),
        jax.make_array_from_callback((num_rows,), sharding, lambda index: rows_of(mask, index, bool)),
    )


def seed_mesh(num_seeds: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh for ``num_seeds`` seeds: as many of ``devices`` (default: this process's) as share them evenly."""
    devices = jax.local_devices() if devices is None else list(devices)
    size = max(size for size in range(1, min(num_seeds, len(devices)) + 1) if num_seeds % size == 0)
    return jax.make_mesh((size,), (SEED_AXIS,), axis_types=(AxisType.Auto,), devices=devices[:size])


def shard_seeds(states: Any, mesh: Mesh) -> Any:
    """Spreads arrays with a leading axis of seeds over the devices of `seed_mesh`."""
    return jax.device_put(states, NamedSharding(mesh, PartitionSpec(SEED_AXIS)))


def replicate(data: Any, mesh: Mesh) -> Any:
    """Puts arrays whole on every device of a mesh."""
    return jax.device_put(data, NamedSharding(mesh, PartitionSpec()))


def over_seeds(function: Callable[[Any, Any, Any], Any], mesh: Mesh) -> Callable[[Any, Any, Any], Any]:
    """``function(states, of_seeds, data)`` with each device working on its own seeds.

    Args:
      function: Its arguments but ``data``, and its results, have a leading axis of seeds.
      mesh: From `seed_mesh`.
    """
    of_seeds, whole = PartitionSpec(SEED_AXIS), PartitionSpec()
    return jax.shard_map(function, mesh=mesh, in_specs=(of_seeds, of_seeds, whole), out_specs=of_seeds, check_vma=False)

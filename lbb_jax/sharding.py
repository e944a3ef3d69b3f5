"""Placing a pool, or the seeds of an experiment, on several devices. Nothing else knows about meshes.

The methods need no change for a pool that is spread over the devices of one host or several: jit'ed functions run where
their arguments lie. Each device scores its own points, and only the few candidates of each pick are exchanged. Seeds
exchange nothing: each device runs its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float32, PyTree, Shaped

from lbb_jax import arguments
from lbb_jax.acquisition import checks

POOL_AXIS = "pool"
SEED_AXIS = "seeds"


def pool_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh with one axis, over ``devices`` (default: all, of every process).

    Raises:
      ValueError: If there are no devices.
      TypeError: If ``devices`` is not a sequence of devices.
    """
    devices = _devices(jax.devices() if devices is None else devices)
    return jax.make_mesh((len(devices),), (POOL_AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def _devices(devices: Any) -> list[jax.Device]:
    """``devices`` as a list of at least one device."""
    if not isinstance(devices, Sequence) or not all(isinstance(device, jax.Device) for device in devices):
        raise TypeError(f"devices: a {type(devices).__name__}; must be a list of devices, such as jax.devices()")
    if not devices:
        raise ValueError("devices: is empty; pass at least one, such as jax.devices()")
    return list(devices)


def shard_pool(
    log_probs: Any, available: Any = None, *, mesh: Mesh | None = None
) -> tuple[Float32[Array, "rows K C"], Bool[Array, " rows"]]:
    """Spreads the points of a pool over the devices of a mesh.

    Args:
      log_probs: ``[N, K, C]``, of the same kinds as `lbb_jax.acquisition.acquire` takes. With several processes each
        passes all of it, and only the rows that lie on its own devices are read, so that it may be a memory-mapped
        file.
      available: Bool ``[N]``, True for the points that may be picked; None for all.
      mesh: From `pool_mesh`; None for all devices.

    Returns:
      ``log_probs[N', K, C]`` in float32 and ``available[N']``, where points that are not available make ``N'`` a
      multiple of the number of devices. Indices of points do not change. Rows in float16 and bfloat16 are normalised as
      by `lbb_jax.acquisition.acquire`, which checks the values of all rows.

    Raises:
      ValueError: If ``log_probs`` is not floating point of shape ``[N, K, C]``, ``available`` not bool of shape
        ``[N]``, or ``mesh`` not one of `pool_mesh`.
      TypeError: For an argument of the wrong kind.
    """
    predictions = checks.read_predictions("log_probs", log_probs)
    num_points, num_draws, num_classes = predictions.shape
    mask = np.asarray(checks.check_available(available, predictions.shape))
    mesh = pool_mesh() if mesh is None else mesh
    if not isinstance(mesh, Mesh) or mesh.axis_names != (POOL_AXIS,):
        raise ValueError(f"mesh={mesh!r}: must be a mesh from sharding.pool_mesh")
    sharding = NamedSharding(mesh, PartitionSpec(POOL_AXIS))
    num_rows = -(-num_points // sharding.mesh.size) * sharding.mesh.size

    def rows_of(array: arguments.Array, index: tuple[slice, ...] | None) -> np.ndarray:
        assert index is not None, "a shard of a partitioned axis has an index"
        start, stop, _ = index[0].indices(num_rows)
        rows = array[start : min(stop, num_points)]
        rows = np.asarray(rows if array is mask else checks.predictions_in_float32(rows))
        return np.concatenate([rows, np.zeros((stop - start - len(rows), *rows.shape[1:]), rows.dtype)])

    return (
        jax.make_array_from_callback(
            (num_rows, num_draws, num_classes), sharding, lambda index: rows_of(predictions, index)
        ),
        jax.make_array_from_callback((num_rows,), sharding, lambda index: rows_of(mask, index)),
    )


def seed_mesh(num_seeds: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh for ``num_seeds`` seeds: as many of ``devices`` (default: this process's) as share them evenly."""
    num_seeds = arguments.check_positive_integer("num_seeds", num_seeds)
    devices = _devices(jax.local_devices() if devices is None else devices)
    size = max(size for size in range(1, min(num_seeds, len(devices)) + 1) if num_seeds % size == 0)
    return jax.make_mesh((size,), (SEED_AXIS,), axis_types=(AxisType.Auto,), devices=devices[:size])


def shard_seeds(states: PyTree[Shaped[Array, "S ..."]], mesh: Mesh) -> PyTree[Shaped[Array, "S ..."]]:
    """Spreads arrays with a leading axis of seeds over the devices of `seed_mesh`."""
    return jax.device_put(states, NamedSharding(mesh, PartitionSpec(SEED_AXIS)))


def replicate(data: PyTree, mesh: Mesh) -> PyTree[Array]:
    """Puts arrays whole on every device of a mesh."""
    return jax.device_put(data, NamedSharding(mesh, PartitionSpec()))


def over_seeds(
    function: Callable[[PyTree, PyTree, PyTree], PyTree], mesh: Mesh
) -> Callable[[PyTree, PyTree, PyTree], PyTree]:
    """``function(states, of_seeds, data)`` with each device working on its own seeds.

    Args:
      function: Its arguments but ``data``, and its results, have a leading axis of seeds.
      mesh: From `seed_mesh`.
    """
    of_seeds, whole = PartitionSpec(SEED_AXIS), PartitionSpec()
    # The check would have the loop declare which arrays differ from device to device, and the loop knows of no mesh.
    return jax.shard_map(function, mesh=mesh, in_specs=(of_seeds, of_seeds, whole), out_specs=of_seeds, check_vma=False)

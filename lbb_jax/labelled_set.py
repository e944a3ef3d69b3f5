"""The labelled part of a pool: a buffer of indices with a fixed capacity, so that no shape changes as it grows.

Arguments are checked as far as they are known: shapes and dtypes always, values outside of ``jit``. Under ``jit`` what
is out of range is dropped or clamped, as JAX does.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Int32, Integer

from lbb_jax import arguments

_MOST_POINTS = 2**31 - 1
_NO_MARKERS = "leave out points without a label"


class LabelledSet(NamedTuple):
    """Which pool points are labelled, in the order labelled.

    Attributes:
      indices: ``[capacity]`` int32; slots from ``size`` on are meaningless.
      size: ``[]`` int32.
    """

    indices: Int32[Array, " capacity"]
    size: Int32[Array, ""]


def create(indices: Integer[ArrayLike, " n"], *, capacity: int) -> LabelledSet:
    """A labelled set that holds ``indices[n]`` and has room for ``capacity`` in all.

    Raises:
      ValueError: If ``indices`` are not distinct integers of at least 0, or ``capacity`` is below ``n``.
      TypeError: For an argument of the wrong kind.
    """
    indices = arguments.as_array("indices", indices)
    arguments.check_integers("indices", indices, low=0, high=_MOST_POINTS, remedy=_NO_MARKERS)
    _check_distinct(indices)
    capacity = arguments.check_positive_integer("capacity", capacity)
    if capacity < len(indices):
        raise ValueError(f"capacity={capacity}: must be at least the {len(indices)} indices given")
    padded = jnp.zeros(capacity, jnp.int32).at[: len(indices)].set(jnp.asarray(indices, jnp.int32))
    return LabelledSet(padded, jnp.int32(len(indices)))


def _check_distinct(indices: arguments.Array) -> None:
    """Raises ValueError for an index that comes twice, where ``indices[n]`` are known."""
    if arguments.are_known(indices):
        values, counts = np.unique(np.asarray(indices), return_counts=True)
        if np.any(counts > 1):
            raise ValueError(f"indices: hold {values[np.argmax(counts > 1)]} more than once; pass each point once")


def add(labelled: LabelledSet, indices: Integer[ArrayLike, " b"], count: Integer[ArrayLike, ""]) -> LabelledSet:
    """Adds the first ``count`` of ``indices[b]``, which the capacity must hold.

    Raises:
      ValueError: If these are not distinct integers of at least 0, none of them labelled already, if ``count`` is not
        between 0 and ``b``, or if the capacity is too small.
      TypeError: For an argument of the wrong kind.
    """
    _check_set(labelled)
    indices = arguments.as_array("indices", indices)
    _check_added(labelled, indices, count)
    capacity, indices, count = len(labelled.indices), jnp.asarray(indices, jnp.int32), jnp.asarray(count, jnp.int32)
    places = jnp.arange(len(indices), dtype=jnp.int32)
    slots = jnp.where(places < count, labelled.size + places, capacity)
    return LabelledSet(labelled.indices.at[slots].set(indices, mode="drop"), labelled.size + count)


def _check_set(labelled: LabelledSet) -> None:
    """Raises TypeError for what is not a labelled set."""
    if not isinstance(labelled, LabelledSet):
        raise TypeError(f"labelled: a {type(labelled).__name__} is not a labelled set; pass one of labelled_set.create")


def _check_added(labelled: LabelledSet, indices: arguments.Array, count: ArrayLike) -> None:
    """Raises what `add` raises."""
    arguments.check_integers("indices", indices, low=-1)
    if isinstance(count, (jax.Array, np.ndarray)):
        if count.ndim != 0 or not jnp.issubdtype(count.dtype, jnp.integer):
            raise TypeError(f"count: has dtype {count.dtype} and shape {count.shape}; must be one integer")
    else:
        arguments.check_integer("count", count)
    if not arguments.are_known(*labelled, indices, count):
        return
    capacity, size, count = len(labelled.indices), int(labelled.size), int(np.asarray(count))
    if not 0 <= count <= len(indices):
        raise ValueError(f"count={count}: must be between 0 and the {len(indices)} indices given")
    if size + count > capacity:
        raise ValueError(f"count={count}: {size} of the capacity of {capacity} are taken; create a larger labelled set")
    added = np.asarray(indices)[:count]
    arguments.check_integers("indices", added, low=0, high=_MOST_POINTS, remedy=_NO_MARKERS)
    _check_distinct(np.concatenate([np.asarray(labelled.indices)[:size], added]))


def contains(labelled: LabelledSet, num_points: int) -> Bool[Array, " N"]:
    """Whether each pool point is labelled: ``[num_points]`` bool.

    Raises:
      ValueError: If ``num_points`` is not above all labelled points.
      TypeError: For an argument of the wrong kind.
    """
    _check_set(labelled)
    num_points = arguments.check_positive_integer("num_points", num_points)
    if arguments.are_known(*labelled):
        highest = np.max(np.asarray(labelled.indices)[: int(labelled.size)], initial=-1)
        if highest >= num_points:
            raise ValueError(f"num_points={num_points}: must be above {highest}, which is labelled")
    slots = jnp.arange(len(labelled.indices))
    points = jnp.where(slots < labelled.size, labelled.indices, num_points)
    return jnp.zeros(num_points, bool).at[points].set(True, mode="drop")


def sample(key: jax.Array, labelled: LabelledSet, batch_size: int) -> Int32[Array, " B"]:
    """Pool indices ``[batch_size]`` of a minibatch drawn uniformly with replacement from the labelled points.

    Raises:
      ValueError: If none is labelled, or ``batch_size`` is below 1.
      TypeError: For an argument of the wrong kind.
    """
    key = arguments.check_key("key", key)
    _check_set(labelled)
    batch_size = arguments.check_positive_integer("batch_size", batch_size)
    if arguments.are_known(labelled.size) and int(labelled.size) < 1:
        raise ValueError("labelled: holds no points to draw from; add at least one")
    slots = jax.random.randint(key, (batch_size,), 0, labelled.size)
    return labelled.indices[slots]


def shuffle(key: jax.Array, labelled: LabelledSet) -> Int32[Array, " capacity"]:
    """The labelled points in a random order: pool indices ``[capacity]``, meaningless from ``size`` on.

    Raises:
      ValueError: If ``key`` is not one random key.
      TypeError: For an argument of the wrong kind.
    """
    key = arguments.check_key("key", key)
    _check_set(labelled)
    capacity = len(labelled.indices)
    is_labelled = jnp.arange(capacity) < labelled.size
    places = jnp.where(is_labelled, jax.random.uniform(key, (capacity,)), jnp.inf)
    return labelled.indices[jnp.argsort(places)]


def draw_balanced(
    key: jax.Array, labels: Integer[ArrayLike, " N"], *, num_classes: int, size: int
) -> Int32[Array, " size"]:
    """Draws points so that every class comes equally often, as nearly as ``size`` and the labels allow.

    Takes one random point of each class, then another of each, until ``size`` are drawn; which classes the last,
    partial turn serves is random.

    Args:
      key: Random key, consumed.
      labels: ``[N]`` integers from 0 to below ``num_classes``.
      num_classes: ``C``.
      size: Static, from 1 to ``N``.

    Returns:
      Indices ``[size]`` int32, without repetition.

    Raises:
      ValueError: If an argument is out of range.
      TypeError: For an argument of the wrong kind.
    """
    key = arguments.check_key("key", key)
    num_classes = arguments.check_positive_integer("num_classes", num_classes)
    size = arguments.check_positive_integer("size", size)
    labels = arguments.as_array("labels", labels)
    arguments.check_integers("labels", labels, low=0, high=num_classes, remedy=_NO_MARKERS)
    if size > len(labels):
        raise ValueError(f"size={size}: must be at most the {len(labels)} labels given")
    labels = jnp.asarray(labels)
    point_key, class_key = jax.random.split(key)
    shuffled = jax.random.permutation(point_key, len(labels))
    by_class = shuffled[jnp.argsort(labels[shuffled], stable=True)]
    sorted_labels = labels[by_class]
    first_of_class = jnp.searchsorted(sorted_labels, jnp.arange(num_classes, dtype=labels.dtype))
    turn = jnp.arange(len(labels)) - first_of_class[sorted_labels]
    order_in_turn = jax.random.permutation(class_key, num_classes)[sorted_labels]
    return by_class[jnp.lexsort((order_in_turn, turn))[:size]].astype(jnp.int32)

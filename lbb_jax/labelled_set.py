"""The labelled part of a pool: a buffer of indices with a fixed capacity, so that no shape changes as it grows."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class LabelledSet(NamedTuple):
    """Which pool points are labelled, in the order labelled.

    Attributes:
      indices: ``[capacity]`` int32; slots from ``size`` on are meaningless.
      size: ``[]`` int32.
    """

    indices: jax.Array
    size: jax.Array


def create(indices: jax.Array, *, capacity: int) -> LabelledSet:
    """A labelled set that holds ``indices[n]`` and has room for ``capacity`` in all.

    Raises:
      ValueError: If ``capacity`` is below ``n``.
    """
    if capacity < len(indices):
        raise ValueError(f"capacity={capacity}: must be at least the {len(indices)} indices given")
    padded = jnp.zeros(capacity, jnp.int32).at[: len(indices)].set(indices.astype(jnp.int32))
    return LabelledSet(padded, jnp.int32(len(indices)))


def add(labelled: LabelledSet, indices: jax.Array, count: jax.Array) -> LabelledSet:
    """Adds the first ``count`` of ``indices[b]``; the capacity must hold them."""
    capacity = len(labelled.indices)
    places = jnp.arange(len(indices), dtype=jnp.int32)
    slots = jnp.where(places < count, labelled.size + places, capacity)
    return LabelledSet(labelled.indices.at[slots].set(indices, mode="drop"), labelled.size + count)


def contains(labelled: LabelledSet, num_points: int) -> jax.Array:
    """Whether each pool point is labelled: ``[num_points]`` bool."""
    slots = jnp.arange(len(labelled.indices))
    points = jnp.where(slots < labelled.size, labelled.indices, num_points)
    return jnp.zeros(num_points, bool).at[points].set(True, mode="drop")


def sample(key: jax.Array, labelled: LabelledSet, batch_size: int) -> jax.Array:
    """Pool indices ``[batch_size]`` of a minibatch drawn uniformly with replacement from the labelled points."""
    slots = jax.random.randint(key, (batch_size,), 0, labelled.size)
    return labelled.indices[slots]


def shuffle(key: jax.Array, labelled: LabelledSet) -> jax.Array:
    """The labelled points in a random order: pool indices ``[capacity]``, meaningless from ``size`` on."""
    capacity = len(labelled.indices)
    is_labelled = jnp.arange(capacity) < labelled.size
    places = jnp.where(is_labelled, jax.random.uniform(key, (capacity,)), jnp.inf)
    return labelled.indices[jnp.argsort(places)]


def draw_balanced(key: jax.Array, labels: jax.Array, *, num_classes: int, size: int) -> jax.Array:
    """Draws points so that every class comes equally often, as nearly as ``size`` and the labels allow.

    Takes one random point of each class, then another of each, until ``size`` are drawn; which classes the last,
    partial turn serves is random.

    Args:
      key: Random key, consumed.
      labels: ``[N]`` int32, below ``num_classes``.
      num_classes: ``C``.
      size: Static, at most ``N``.

    Returns:
      Indices ``[size]`` int32, without repetition.
    """
    point_key, class_key = jax.random.split(key)
    shuffled = jax.random.permutation(point_key, len(labels))
    by_class = shuffled[jnp.argsort(labels[shuffled], stable=True)]
    sorted_labels = labels[by_class]
    first_of_class = jnp.searchsorted(sorted_labels, jnp.arange(num_classes, dtype=labels.dtype))
    turn = jnp.arange(len(labels)) - first_of_class[sorted_labels]
    order_in_turn = jax.random.permutation(class_key, num_classes)[sorted_labels]
    return by_class[jnp.lexsort((order_in_turn, turn))[:size]].astype(jnp.int32)

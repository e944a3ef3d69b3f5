"""Picking points far from one another, one after the other: what core-set and BADGE share.

Every pick becomes a centre. What a point is worth depends on its distance to the nearest centre, which only falls.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lbb_jax.acquisition.selection import Acquisition, remove

# Maps the index of a point to the squared distances of all points to it.
SquaredDistances = Callable[[Int[Array, ""]], Float[Array, " N"]]
# Maps ``(key, nearest, available)`` to a pick ``[1]``, where ``nearest`` are squared distances to the nearest centre.
Choose = Callable[[jax.Array, Float[Array, " N"], Bool[Array, " N"]], Acquisition]


def add_centre(
    nearest: Float[Array, " N"], squared_distances: SquaredDistances, index: Int[Array, ""]
) -> Float[Array, " N"]:
    """The squared distances ``nearest[N]`` to the nearest centre, after the point ``index`` became one, too.

    A centre whose distances are NaN changes nothing.
    """
    return jnp.fmin(nearest, squared_distances(index))


def pick_centres(
    key: jax.Array,
    first: Acquisition,
    nearest: Float[Array, " N"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    squared_distances: SquaredDistances,
    choose: Choose,
) -> Acquisition:
    """Picks points one after the other, each by its distance to the centres before it.

    Args:
      key: Random key, consumed by ``choose``; every pick has its own.
      first: The first pick, ``[1]``.
      nearest: Squared distance of each point to the nearest centre before the first pick, ``[N]``; infinite if none.
      available: ``[N]`` bool.
      batch_size: Static, at least 1 and at most ``N``.
      squared_distances: Maps the index of a point to the squared distances of all points to it.
      choose: Makes the next pick.

    Returns:
      The picks ``[batch_size]`` in order, with the scores that ``choose`` gave them.
    """

    def pick(state: tuple[jax.Array, jax.Array, Acquisition], place: jax.Array) -> tuple:
        nearest, available, last = state
        nearest = add_centre(nearest, squared_distances, last.indices[0])
        available = remove(available, last.indices[0])
        picked = choose(jax.random.fold_in(key, place), nearest, available)
        return (nearest, available, picked), picked

    places = jnp.arange(1, batch_size, dtype=jnp.int32)
    _, others = jax.lax.scan(pick, (nearest, available, first), places)
    return jax.tree.map(lambda one, rest: jnp.concatenate([one, rest[:, 0]]), first, others)

"""The plain greedy loop: the gain of every point at every step, and the point of the highest gain.

It defines what `large_batch_bald`, `log_det` and `batch_bald` compute. These evaluate only points that can still win
(`lbb_jax.acquisition.lazy_greedy`) and pick the same points. Where that is faster, as mostly on accelerators,
`large_batch_bald` and `log_det` choose an equivalent dense form by themselves (`lbb_jax.acquisition.dense_greedy`). Use
the plain loop for methods of your own, whether or not their gains fall as the batch grows.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax.acquisition.selection import Acquisition, best, remove

BatchState = TypeVar("BatchState")


def greedy(
    gains: Callable[[BatchState], Float[Array, " N"]],
    add: Callable[[BatchState, Int32[Array, ""]], BatchState],
    batch: BatchState,
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    resolution: float = 0.0,
) -> Acquisition:
    """Picks the point of the highest gain, the lowest index first among equals, and adds it to the batch, repeatedly.

    LBB with the tree bound (`large_batch_bald`), whose gain is ``I(y_x; θ) - max_{s∈S} I(y_x; y_s)``:

    >>> import jax, jax.numpy as jnp
    >>> from lbb_jax import acquisition, information
    >>> log_probs = jax.nn.log_softmax(2 * jax.random.normal(jax.random.key(0), (100, 5, 3)))
    >>> scores = information.mutual_information(log_probs)
    >>> def add(redundancy, index):
    ...     pairs = information.pairwise_mutual_information(log_probs, log_probs[index][None])[:, 0]
    ...     return jnp.maximum(redundancy, pairs)
    >>> picked = acquisition.greedy(
    ...     lambda redundancy: scores - redundancy, add, jnp.zeros(100), jnp.ones(100, bool), batch_size=8
    ... )
    >>> lazy = acquisition.acquire(jax.random.key(0), log_probs, method="lbb", batch_size=8, redundancy="tree")
    >>> picked.indices.tolist() == lazy.indices.tolist()
    True

    Args:
      gains: Maps the state of the batch to the gain of every point, ``[N]``.
      add: Maps the state of the batch, and the index ``[]`` of a point, to the state of the batch with this point. The
        index is -1 once no available point is left; the result is not used then.
      batch: The state of the empty batch, a pytree of arrays whose shapes ``add`` does not change.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      resolution: Static: gains within this share of the highest count as equal to it.

    Returns:
      The picks and their gains, ``[batch_size]``; index -1 and score ``-inf`` where no available point is left.
    """

    def pick(carry: tuple[BatchState, jax.Array], _: None) -> tuple[tuple[BatchState, jax.Array], Acquisition]:
        batch, available = carry
        picked = Acquisition(*best(gains(batch), available, resolution=resolution))
        return (add(batch, picked.indices), remove(available, picked.indices)), picked

    _, acquisition = jax.lax.scan(pick, (batch, jnp.asarray(available)), length=batch_size)
    return acquisition

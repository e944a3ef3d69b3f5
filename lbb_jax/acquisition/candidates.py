"""How a batch is picked from a pool that passes by: from the points that are worth most by themselves.

A point is worth no more to a batch than by itself: its BALD, its log-det, or its first arrival in a race. So the batch
picked from the points that are kept is that of the whole pool if every pick was worth more than the best point left
out. A method declares by a `Stream` that this holds for it. A point's gain is in nats; its worth is what it is ranked
by, which is the gain itself or, where picks are sampled, a key in a race.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from lbb_jax.acquisition.sampling import rank
from lbb_jax.acquisition.selection import Ranked, highest

_NUM_BINS, _LOWEST_BIN, _HIGHEST_BIN = 4096, -64.0, 64.0


class Stream(NamedTuple):
    """How a method picks from a pool that passes by, and its declaration that no point is worth more than by itself.

    Attributes:
      scores: ``(log_probs[n, K, C], **options) -> [n]``: the score of each point before any pick, which must depend on
        its own predictions and the options alone.
      pick: ``(key, points[n], log_probs[n, K, C], available[n], *, batch_size, **options) -> Ranked``, where ``points``
        are indices in the pool: the batch from the points that are kept. No point may be worth more to the batch than
        ``most`` times what it is worth by itself. None if no pick changes another point's score: then the batch is
        the points ranked highest.
      sampling: How points are ranked by their scores, one of `lbb_jax.acquisition.sampling.SAMPLINGS`. None for what
        the option ``sampling`` says, "top" where the method has none.
      needs: Options that must be given: without them, a point's score depends on other points of the pool.
    """

    scores: Callable[..., Float[Array, " n"]]
    pick: Callable[..., Ranked] | None = None
    sampling: str | None = None
    needs: tuple[str, ...] = ()

    def sampling_with(self, options: Mapping[str, Any]) -> str:
        """How points are ranked by their scores with these options."""
        return self.sampling or options.get("sampling", "top")


def worth_by_itself(
    stream: Stream,
    key: jax.Array,
    points: Int32[Array, " n"],
    log_probs: Float[Array, "n K C"],
    options: Mapping[str, Any],
) -> Float[Array, " n"]:
    """What the points with the indices ``points[n]`` and the predictions ``log_probs[n, K, C]`` are worth, ``[n]``."""
    scores = stream.scores(log_probs, **options)
    if jnp.shape(scores) != points.shape:
        raise ValueError(f"stream.scores: returned shape {jnp.shape(scores)}; must return one score for each point")
    everything = jnp.ones(len(points), bool)
    return rank(key, points, scores, everything, stream.sampling_with(options), options.get("alpha", 1.0))


def choose(
    stream: Stream,
    key: jax.Array,
    worth: Float[Array, " M"],
    points: Int32[Array, " M"],
    log_probs: Float[Array, "M K C"],
    *,
    batch_size: int,
    options: Mapping[str, Any],
) -> Ranked:
    """The batch that a method picks from the points of a pool that are kept.

    Args:
      stream: How the method is streamed.
      key: Random key, consumed.
      worth: What each point is worth by itself, ``[M]``; ``-inf`` in free places.
      points: Their indices in the pool, ``[M]`` int32, ascending, so that equal points go to the lowest index.
      log_probs: Their predictions, ``[M, K, C]``.
      batch_size: Static, at most the number of points.
      options: The options of the method.

    Returns:
      The picks, by their indices in the pool.
    """
    available = worth > -jnp.inf
    if stream.pick is None:
        picked = highest(worth, available, batch_size=batch_size)
        scores = stream.scores(log_probs, **options)[picked.indices]
        ranked = Ranked(picked._replace(scores=scores), picked.scores)
    else:
        ranked = stream.pick(key, points, log_probs, available, batch_size=batch_size, **options)
    return ranked._replace(acquisition=ranked.acquisition._replace(indices=points[ranked.acquisition.indices]))


def no_points_counted() -> Int32[Array, " bins"]:
    """A histogram of no points, ``[bins]`` int32."""
    return jnp.zeros(_NUM_BINS, jnp.int32)


def count(histogram: Int32[Array, " bins"], worth: Float[Array, " n"], *, are_logs: bool) -> Int32[Array, " bins"]:
    """The histogram after the points worth ``worth[n]`` are added; those worth ``-inf`` do not count.

    Args:
      histogram: ``[bins]`` int32.
      worth: ``[n]``.
      are_logs: Whether ``worth`` is a logarithm.
    """
    counts = (worth > -jnp.inf).astype(jnp.int32)
    return histogram.at[_bins(worth, are_logs=are_logs)].add(counts)


def count_at_least(histogram: Int32[Array, " bins"], worth: Float[Array, ""], *, are_logs: bool) -> Int32[Array, ""]:
    """About how many of the points counted are worth ``worth`` or more by themselves, ``[]`` int32."""
    is_counted = jnp.arange(_NUM_BINS) >= _bins(worth, are_logs=are_logs)
    return jnp.sum(jnp.where(is_counted, histogram, 0))


def _bins(worth: Float[Array, "*n"], *, are_logs: bool) -> Int32[Array, "*n"]:
    """The bin of the histogram that each worth falls into: of its logarithm."""
    logs = worth if are_logs else jnp.log(jnp.maximum(worth, 1e-30))
    share = (logs - _LOWEST_BIN) / (_HIGHEST_BIN - _LOWEST_BIN)
    return jnp.clip(jnp.floor(share * _NUM_BINS), 0, _NUM_BINS - 1).astype(jnp.int32)

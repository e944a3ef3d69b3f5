"""The points of a pool that are worth most by themselves, kept while the pool passes by, and the batch they hold.

What a point is worth to a batch is at most what it is worth by itself: its BALD, its log-det, or its first arrival in a
race. So the batch picked from the candidates is that of the whole pool if every pick was worth more than the best point
left out. A method says by a `Stream` that this holds for it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax.acquisition.sampling import rank
from lbb_jax.acquisition.selection import Acquisition, highest

_FEW = 512
_NUM_BINS, _LOWEST_BIN, _HIGHEST_BIN = 4096, -64.0, 64.0


class Ranked(NamedTuple):
    """Picks, and what they were ranked by.

    Attributes:
      acquisition: The picks, ``[b]``.
      worth: What each pick was ranked by when it was picked, ``[b]``.
      most: How many times its worth by itself a point can be worth to the batch, ``[b]`` or one number: 1 for exact
        gains, a little more for sampled ones.
    """

    acquisition: Acquisition
    worth: jax.Array
    most: jax.Array | float = 1.0


class Stream(NamedTuple):
    """How a method picks from a pool that passes by: its declaration that a point's worth alone bounds its worth.

    Attributes:
      scores: ``(log_probs[n, K, C], **options) -> [n]``: the score of each point before any pick, which must depend on
        its own predictions and the options alone.
      pick: ``(key, points[n], log_probs[n, K, C], available[n], *, batch_size, **options) -> Ranked``, where ``points``
        are indices in the pool: the batch from the points that are kept. No point may be worth more to the batch than
        ``most`` times what it is worth by itself. None if no pick changes another point's score: then the batch are
        the points ranked highest.
      sampling: How points are ranked by their scores, one of `lbb_jax.acquisition.sampling.SAMPLINGS`. None for what
        the option ``sampling`` says, "top" where the method has none.
      needs: Options without which points are scored beside others of the pool.
    """

    scores: Callable[..., jax.Array]
    pick: Callable[..., Ranked] | None = None
    sampling: str | None = None
    needs: tuple[str, ...] = ()

    def sampling_with(self, options: Mapping[str, Any]) -> str:
        """How points are ranked by their scores with these options."""
        return self.sampling or options.get("sampling", "top")


class Candidates(NamedTuple):
    """The best points so far of a pool that passes by.

    Attributes:
      worth: What each is worth by itself, in descending order, ``-inf`` where there is none yet; ``[M]``.
      points: Their indices in the pool, ``[M]`` int32.
      log_probs: Their predictions, ``[M, K, C]``.
      best_left_out: What the best of the other points was worth, ``[]``.
      histogram: How many points of the pool were worth how much, ``[bins]`` int32.
    """

    worth: jax.Array
    points: jax.Array
    log_probs: jax.Array
    best_left_out: jax.Array
    histogram: jax.Array


class Choice(NamedTuple):
    """The batch picked from the candidates.

    Attributes:
      acquisition: The picks, by their indices in the pool, ``[b]``.
      threshold: A point that is worth less than this by itself could not have been picked, ``[]``.
      slack: The most by which the best point left out could have been worth more than a pick, ``[]``.
    """

    acquisition: Acquisition
    threshold: jax.Array
    slack: jax.Array


def nothing_yet(num_candidates: int, num_draws: int, num_classes: int) -> Candidates:
    """No candidates, and places for ``num_candidates``."""
    return Candidates(
        jnp.full(num_candidates, -jnp.inf, jnp.float32),
        jnp.zeros(num_candidates, jnp.int32),
        jnp.zeros((num_candidates, num_draws, num_classes), jnp.float32),
        jnp.float32(-jnp.inf),
        jnp.zeros(_NUM_BINS, jnp.int32),
    )


def worth_by_itself(
    stream: Stream, key: jax.Array, points: jax.Array, log_probs: jax.Array, options: Mapping[str, Any]
) -> jax.Array:
    """What the points with the indices ``points[n]`` and the predictions ``log_probs[n, K, C]`` are worth, ``[n]``."""
    scores = stream.scores(log_probs, **options)
    if jnp.shape(scores) != points.shape:
        raise ValueError(f"stream.scores: returned shape {jnp.shape(scores)}; must return one score for each point")
    everything = jnp.ones(len(points), bool)
    return rank(key, points, scores, everything, stream.sampling_with(options), options.get("alpha", 1.0))


def absorb(
    candidates: Candidates, worth: jax.Array, points: jax.Array, log_probs: jax.Array, *, are_logs: bool
) -> Candidates:
    """The candidates after a block of points.

    Of equal points those that came first are kept.

    Args:
      candidates: Those so far.
      worth: ``[n]``, ``-inf`` for points that are not available.
      points: Indices of the points in the pool, ``[n]`` int32.
      log_probs: ``[n, K, C]``.
      are_logs: Whether ``worth`` is a logarithm.
    """
    size = len(candidates.worth)

    def merge(num_rows: int) -> Candidates:
        best, rows = jax.lax.top_k(worth, min(num_rows, len(worth)))
        kept_worth, kept = jax.lax.top_k(jnp.concatenate([candidates.worth, best]), size + 1)
        return candidates._replace(
            worth=kept_worth[:size],
            points=jnp.concatenate([candidates.points, points[rows]])[kept[:size]],
            log_probs=jnp.concatenate([candidates.log_probs, log_probs[rows]])[kept[:size]],
            best_left_out=jnp.maximum(candidates.best_left_out, kept_worth[size]),
        )

    # Late in a stream few points of a block are better than the worst candidate, and a small sort finds them.
    few = min(_FEW, size)
    num_better = jnp.sum(worth > candidates.worth[-1])
    merged = jax.lax.cond(num_better < few, lambda: merge(few), lambda: merge(size + 1))
    counts = (worth > -jnp.inf).astype(jnp.int32)
    return merged._replace(histogram=candidates.histogram.at[_bins(worth, are_logs=are_logs)].add(counts))


def choose(
    stream: Stream, key: jax.Array, candidates: Candidates, *, batch_size: int, options: Mapping[str, Any]
) -> Choice:
    """The batch that a method picks from the candidates."""
    # In the order of the pool, so that equal points go to the lowest index.
    order = jnp.argsort(jnp.where(candidates.worth > -jnp.inf, candidates.points, jnp.iinfo(jnp.int32).max))
    worth, points, log_probs = (leaf[order] for leaf in candidates[:3])
    available = worth > -jnp.inf
    if stream.pick is None:
        picked = highest(worth, available, batch_size=batch_size)
        scores = stream.scores(log_probs, **options)[picked.indices]
        ranked = Ranked(picked._replace(scores=scores), picked.scores)
    else:
        ranked = stream.pick(key, points, log_probs, available, batch_size=batch_size, **options)
    picked = ranked.acquisition._replace(indices=points[ranked.acquisition.indices])
    slack = jnp.max(ranked.most * candidates.best_left_out - ranked.worth)
    return Choice(picked, jnp.min(ranked.worth / ranked.most), slack)


def count_at_least(candidates: Candidates, worth: jax.Array, *, are_logs: bool) -> jax.Array:
    """About how many points of the pool, of those absorbed, are worth ``worth`` or more by themselves, ``[]`` int32."""
    is_counted = jnp.arange(_NUM_BINS) >= _bins(worth, are_logs=are_logs)
    return jnp.sum(jnp.where(is_counted, candidates.histogram, 0))


def _bins(worth: jax.Array, *, are_logs: bool) -> jax.Array:
    """The bin of the histogram that each worth falls into: of its logarithm."""
    logs = worth if are_logs else jnp.log(jnp.maximum(worth, 1e-30))
    share = (logs - _LOWEST_BIN) / (_HIGHEST_BIN - _LOWEST_BIN)
    return jnp.clip(jnp.floor(share * _NUM_BINS), 0, _NUM_BINS - 1).astype(jnp.int32)

"""The points of a pool that are worth most by themselves, kept while the pool passes by, and the batch they hold.

What a point is worth to a batch is at most what it is worth by itself: its BALD, its log-det, or its first arrival in a
race. So the
batch picked from the candidates is that of the whole pool if every pick was worth more than the best point left out.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import entropy, information
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.batch_bald import pick_batch_bald
from lbb_jax.acquisition.epig import mean_information_about
from lbb_jax.acquisition.large_batch_bald import pick_lbb, pick_power_lbb
from lbb_jax.acquisition.log_det import gains_by_themselves, pick_log_det
from lbb_jax.acquisition.pointwise import least_confident_score, margin_score
from lbb_jax.acquisition.selection import Acquisition, highest

# Methods whose picks do not change what other points are worth.
POINTWISE = ("random", "least_confident", "margin", "entropy", "bald", "power_bald", "epig")

_FEW = 512
_NUM_BINS, _LOWEST_BIN, _HIGHEST_BIN = 4096, -64.0, 64.0


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


def is_race(method: str, options: Mapping[str, Any]) -> bool:
    """Whether points are worth the key of a race, which is a logarithm."""
    return method in ("power_bald", "power_lbb") or options.get("power", False)


def scores_by_themselves(method: str, log_probs: jax.Array, options: Mapping[str, Any]) -> jax.Array:
    """The scores that ``method`` gives to the points of ``log_probs[n, K, C]`` before any pick, ``[n]``."""
    match method:
        case "random":
            return jnp.zeros(len(log_probs), log_probs.dtype)
        case "least_confident":
            return least_confident_score(log_probs)
        case "margin":
            return margin_score(log_probs)
        case "entropy":
            return entropy.marginal_entropy(log_probs)
        case "log_det":
            return gains_by_themselves(log_probs)
        case "epig":
            return mean_information_about(log_probs, options["targets"])
        case _:
            return information.mutual_information(log_probs)


def worth_by_itself(
    method: str, key: jax.Array, points: jax.Array, log_probs: jax.Array, options: Mapping[str, Any]
) -> jax.Array:
    """What the points with the indices ``points[n]`` and the predictions ``log_probs[n, K, C]`` are worth, ``[n]``."""
    if method == "random":
        return exponential_race.variates(key, points, log_probs.dtype).gumbel
    scores = scores_by_themselves(method, log_probs, options)
    if is_race(method, options):
        variates = exponential_race.variates(key, points, log_probs.dtype)
        return exponential_race.first_keys(variates, exponential_race.log_rate(scores, options["alpha"]))
    return scores


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
    method: str, key: jax.Array, candidates: Candidates, *, batch_size: int, options: Mapping[str, Any]
) -> Choice:
    """The batch that ``method`` picks from the candidates."""
    # In the order of the pool, so that equal points go to the lowest index.
    order = jnp.argsort(jnp.where(candidates.worth > -jnp.inf, candidates.points, jnp.iinfo(jnp.int32).max))
    worth, points, log_probs = (leaf[order] for leaf in candidates[:3])
    available = worth > -jnp.inf
    # How many times its worth by itself a point can be worth, which for sampled gains is a little more than once.
    most = jnp.ones(batch_size, worth.dtype)
    match method:
        case "lbb":
            picked, picked_worth, _ = pick_lbb(log_probs, available, batch_size=batch_size, **options)
        case "power_lbb":
            variates = exponential_race.variates(key, points, log_probs.dtype)
            picked, picked_worth, _ = pick_power_lbb(variates, log_probs, available, batch_size=batch_size, **options)
        case "log_det":
            picked = pick_log_det(log_probs, available, batch_size=batch_size).acquisition
            picked_worth = picked.scores
        case "batch_bald":
            picks = pick_batch_bald(key, log_probs, available, batch_size=batch_size, **options)
            picked, picked_worth = picks.acquisition, picks.acquisition.scores
            most = picks.most_per_bald
        case _:
            picked = highest(worth, available, batch_size=batch_size)
            picked_worth = picked.scores
            if method == "random" or is_race(method, options):
                picked = picked._replace(scores=scores_by_themselves(method, log_probs, options)[picked.indices])
    picked = picked._replace(indices=points[picked.indices])
    return Choice(picked, jnp.min(picked_worth / most), jnp.max(most * candidates.best_left_out - picked_worth))


def count_at_least(candidates: Candidates, worth: jax.Array, *, are_logs: bool) -> jax.Array:
    """About how many points of the pool, of those absorbed, are worth ``worth`` or more by themselves, ``[]`` int32."""
    is_counted = jnp.arange(_NUM_BINS) >= _bins(worth, are_logs=are_logs)
    return jnp.sum(jnp.where(is_counted, candidates.histogram, 0))


def _bins(worth: jax.Array, *, are_logs: bool) -> jax.Array:
    """The bin of the histogram that each worth falls into: of its logarithm."""
    logs = worth if are_logs else jnp.log(jnp.maximum(worth, 1e-30))
    share = (logs - _LOWEST_BIN) / (_HIGHEST_BIN - _LOWEST_BIN)
    return jnp.clip(jnp.floor(share * _NUM_BINS), 0, _NUM_BINS - 1).astype(jnp.int32)

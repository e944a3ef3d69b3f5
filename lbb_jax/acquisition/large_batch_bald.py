"""Large BatchBALD and Power LBB: batches scored by BALD less what each pick shares with those before it.

The gain of a point ``x`` is ``I(y_x; θ)`` less its redundancy with the batch ``S`` picked so far:

* ``"pairwise"``: ``pair_weight * Σ_{s∈S} I(y_x; y_s)``, the greedy step of Eq. 2.12. The sum counts shared information
  many times over, so that after about ``log K`` nats of information every informative point has a negative gain, and
  points that the model is certain about, with gain 0, are picked next. The scores show it.
* ``"tree"``: ``max_{s∈S} I(y_x; y_s)``, the total correlation of a dependence tree (Chow and Liu, 1968) grown in the
  order of the picks. Its gains are never negative.

Both equal BatchBALD for batches of two, and their gains only fall as the batch grows. Equation numbers refer to
Rubashevskii, Kotova and Panov (SDM 2023), which counts every pair twice; that is ``pair_weight=2``.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lbb_jax import information
from lbb_jax.acquisition.selection import Acquisition, best, gumbel_variates, log_rate, take, without_rounding

REDUNDANCIES = ("pairwise", "tree")

Choice = Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, Any]]


def large_batch_bald(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
) -> Acquisition:
    """Picks the point of the highest gain, again and again (LBB, Eq. 2.12).

    Args:
      key: Ignored: the method is deterministic.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      pair_weight: What each pair counts with ``redundancy="pairwise"``: 1 counts it once, 2 is the printed formula.
      redundancy: Static, ``"pairwise"`` or ``"tree"``.

    Returns:
      The picks; the scores are their gains in nats, those within 1e-6 of 0 as exactly 0.
    """
    del key

    def choose_best(nothing: None, gains: jax.Array, remaining: jax.Array) -> tuple[jax.Array, None]:
        return best(gains, remaining), nothing

    return _pick_one_by_one(
        log_probs, available, choose_best, None, batch_size=batch_size, pair_weight=pair_weight, redundancy=redundancy
    )


def power_large_batch_bald(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    alpha: jax.Array | float = 1.0,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
) -> Acquisition:
    """Samples points one after the other with probability proportional to ``gain**alpha`` (Power LBB, Eq. 2.13).

    The sampling is a race. Each point waits for an exponential time at the rate ``gain**alpha`` and the first to
    arrive is picked; what then remains of the others' unit-rate waits is again exponential, so that the next pick,
    at the rates lowered by this one, needs no further random numbers.

    Args:
      key: Random key, consumed. Each point has its own variate, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      alpha: At least 0. At 0 every point is equally likely.
      pair_weight: What each pair counts with ``redundancy="pairwise"``: 1 counts it once, 2 is the printed formula.
      redundancy: Static, ``"pairwise"`` or ``"tree"``.

    Returns:
      The picks; the scores are their gains in nats. A gain below 1e-6 has probability 0; when no other is left, the
      picks are uniform.
    """
    variates = gumbel_variates(key, log_probs)

    def choose_first_to_arrive(
        log_wait: jax.Array, gains: jax.Array, remaining: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        log_rates = log_rate(gains, alpha)
        possible = remaining & (log_rates > -jnp.inf)
        log_arrival = jnp.where(possible, log_wait - log_rates, jnp.inf)
        winner = jnp.argmin(log_arrival)
        # Time passes for the points that could have arrived, each at its own rate.
        share_waited = jnp.where(possible, jnp.exp(log_arrival[winner] - log_arrival), 0)
        remaining_wait = jnp.where(possible, log_wait + jnp.log1p(-share_waited), log_wait)
        pick = jnp.where(jnp.any(possible), best(-log_arrival, possible), best(-log_wait, remaining))
        return pick, remaining_wait

    return _pick_one_by_one(
        log_probs,
        available,
        choose_first_to_arrive,
        -variates,
        batch_size=batch_size,
        pair_weight=pair_weight,
        redundancy=redundancy,
    )


def _pick_one_by_one(
    log_probs: jax.Array,
    available: jax.Array,
    choose: Choice,
    choice_state: Any,
    *,
    batch_size: int,
    pair_weight: jax.Array | float,
    redundancy: str,
) -> Acquisition:
    """Picks with ``choose(choice_state, gains, remaining) -> (index, choice_state)``, lowering the gains after each."""
    if redundancy not in REDUNDANCIES:
        raise ValueError(f"redundancy={redundancy!r}: must be one of {', '.join(map(repr, REDUNDANCIES))}")
    scores = without_rounding(information.mutual_information(log_probs))

    def pick(shared: jax.Array, remaining: jax.Array, choice_state: Any) -> tuple[tuple, Acquisition]:
        gains = without_rounding(scores - shared)
        index, choice_state = choose(choice_state, gains, remaining)
        picked, remaining = take(index, gains, remaining)
        return (shared, remaining, choice_state, index), picked

    def extend(carry: tuple, _: None) -> tuple[tuple, Acquisition]:
        shared, remaining, choice_state, last = carry
        pairs = without_rounding(information.pairwise_mutual_information(log_probs, log_probs[last][None])[:, 0])
        shared = jnp.maximum(shared, pairs) if redundancy == "tree" else shared + pair_weight * pairs
        if redundancy == "tree":
            # `I(y_x; y_s) ≤ I(y_x; θ)`: a tree gain below 0 is rounding.
            shared = jnp.minimum(shared, scores)
        return pick(shared, remaining, choice_state)

    carry, first = pick(jnp.zeros_like(scores), available, choice_state)
    _, others = jax.lax.scan(extend, carry, None, length=batch_size - 1)
    return jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first, others)

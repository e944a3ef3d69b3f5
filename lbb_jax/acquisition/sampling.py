"""From scores to picks: the highest scores, or a sample in which higher scores are likelier.

Samples are drawn without replacement, each pick with probability in proportion to

* ``"power"``: ``score**alpha`` (Eq. 2.13 of Rubashevskii, Kotova and Panov, SDM 2023); scores of 0 and below have
  probability 0, and when only such points are left, they are picked uniformly;
* ``"softmax"``: ``exp(alpha * score)``;
* ``"softrank"``: ``rank**-alpha``, where the highest available score has rank 1 and ties go to the lowest index

(Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal, "Stochastic batch acquisition: a simple baseline for
deep active learning", TMLR 2023). ``alpha`` is the coldness: at 0 all points are equally likely, and for large values
the highest scores are picked, as by ``"top"``, for which it has no effect.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.selection import Acquisition, highest

SAMPLINGS = ("top", "power", "softmax", "softrank")


def pick_by_score(
    key: jax.Array,
    scores: Float[Array, " N"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks points by scores that no pick changes.

    Args:
      key: Random key, consumed; ignored by "top". Each point has its own variates, whatever is available.
      scores: ``[N]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      sampling: Static, one of `SAMPLINGS`.
      alpha: At least 0.

    Returns:
      The picks in the order drawn, with their ``scores``.

    Raises:
      ValueError: If ``sampling`` is not one of `SAMPLINGS`.
    """
    points = jnp.arange(len(scores), dtype=jnp.int32)
    picked = highest(rank(key, points, scores, available, sampling, alpha), available, batch_size=batch_size)
    return picked._replace(scores=jnp.where(picked.indices >= 0, scores[picked.indices], -jnp.inf))


def rank(
    key: jax.Array,
    points: Int32[Array, " n"],
    scores: Float[Array, " n"],
    available: Bool[Array, " N"],
    sampling: str,
    alpha: Float[Array, ""] | float,
) -> Float[Array, " n"]:
    """The values by which the points ``points[n]`` are picked, the highest first: ``[n]``.

    These are the scores for "top", and otherwise the keys of a race, which are logarithms. "softrank" needs ``points``
    to be the whole pool; the other samplings take any points.
    """
    arguments.check_choice("sampling", sampling, choices=SAMPLINGS)
    if sampling == "top":
        return scores
    if sampling == "power":
        log_rates = exponential_race.log_rate(scores, alpha)
    elif sampling == "softmax":
        log_rates = alpha * scores
    else:
        log_rates = -alpha * jnp.log(ranks(scores, available).astype(scores.dtype))
    return exponential_race.first_keys(exponential_race.variates(key, points, scores.dtype), log_rates)


def ranks(scores: Float[Array, " N"], available: Bool[Array, " N"]) -> Int32[Array, " N"]:
    """The rank of each score, from 1 for the highest that is available."""
    order = jnp.argsort(jnp.where(available, scores, -jnp.inf), descending=True, stable=True)
    return jnp.zeros(len(scores), jnp.int32).at[order].set(jnp.arange(1, len(scores) + 1, dtype=jnp.int32))

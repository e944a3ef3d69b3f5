"""Power sampling as a race: points arrive at random times, at rates that are powers of their worth (Eq. 2.13).

Each point waits for an exponential time at the rate ``gain**alpha``, and the first to arrive is picked. What then
remains of the other points' waits is again exponential, so that the next pick, at the rates lowered by this one, needs
no further random numbers. Rates only fall, so that an arrival computed with an earlier rate is never too late.

Arrivals enter as keys, ``-log(arrival time)``: the highest key comes first. Points of rate 0 never arrive; their keys
lie below all others and put them in random order.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lbb_jax import arguments

# Rates below exp(-1e37) count as 0, and the keys of rate 0 lie below that.
_LOWEST_LOG_RATE = -1e37
_KEY_WITHOUT_RATE = 1e38


class Variates(NamedTuple):
    """One pair of random numbers for each point, tied to the point's index.

    Attributes:
      gumbel: Standard Gumbel variates, ``[N]``: keys at rate 1.
      uniform: Uniform variates, ``[N]``: the order of the points of rate 0.
    """

    gumbel: Float[Array, " N"]
    uniform: Float[Array, " N"]


def variates(key: jax.Array, points: Int[Array, " n"], dtype: jnp.dtype) -> Variates:
    """The variates of the points with the indices ``points[n]``, whatever other points there are.

    Args:
      key: Random key, consumed.
      points: Indices in the pool, ``[n]`` integers.
      dtype: The variates' dtype.
    """
    key = arguments.check_key("key", key)
    gumbel_key, uniform_key = jax.random.split(key)

    def one_point(point: jax.Array) -> Variates:
        # The mode of high precision, whose tail reaches far enough for large pools.
        gumbel = jax.random.gumbel(jax.random.fold_in(gumbel_key, point), (), dtype, mode="high")
        return Variates(gumbel, jax.random.uniform(jax.random.fold_in(uniform_key, point), (), dtype))

    return jax.vmap(one_point)(points)


def log_rate(gain: Float[Array, "*shape"], alpha: Float[Array, ""] | float) -> Float[Array, "*shape"]:
    """Logarithm of the rate ``gain**alpha`` at which power sampling picks a point (Eq. 2.13).

    Gains of 0 and below have rate 0. With ``alpha`` 0 every point has rate 1, whatever its gain.
    """
    positive = gain > 0
    log_gain = jnp.log(jnp.where(positive, gain, 1))
    return jnp.where(jnp.equal(alpha, 0), 0, jnp.where(positive, alpha * log_gain, -jnp.inf))


def first_keys(variates: Variates, log_rates: Float[Array, " n"]) -> Float[Array, " n"]:
    """Keys ``[n]`` of points at their first rates."""
    return _keys(variates.gumbel + log_rates, variates, log_rates)


def later_keys(
    keys: Float[Array, " n"],
    variates: Variates,
    log_rates: Float[Array, " n"],
    lowered_log_rates: Float[Array, " n"],
    picked_key: Float[Array, " n"],
) -> Float[Array, " n"]:
    """Keys of points whose rates are lowered by a pick.

    Until the pick a point has waited at its former rate; what is left of its wait grows as the rate falls.

    Args:
      keys: Keys ``[n]`` at the former rates; the keys of points with a rate above 0 are at most ``picked_key``.
      variates: ``[n]``.
      log_rates: Logarithms of the former rates, ``[n]``.
      lowered_log_rates: Logarithms of the rates from the pick on, ``[n]``.
      picked_key: Key of the pick, ``[n]`` (each point may learn of a pick of its own).

    Returns:
      ``[n]``.
    """
    # log(arrival - time of the pick), from keys that are minus logarithms.
    log_left = -keys + jnp.log1p(-jnp.exp(jnp.minimum(keys - picked_key, 0)))
    log_arrival = jnp.logaddexp(-picked_key, log_left + log_rates - lowered_log_rates)
    changed = lowered_log_rates != log_rates
    return jnp.where(changed, _keys(-log_arrival, variates, lowered_log_rates), keys)


def _keys(keys: Float[Array, " n"], variates: Variates, log_rates: Float[Array, " n"]) -> Float[Array, " n"]:
    """``keys``, with the keys of points of rate 0 replaced by ones below all others."""
    return jnp.where(log_rates > _LOWEST_LOG_RATE, keys, -(1 + variates.uniform) * _KEY_WITHOUT_RATE)

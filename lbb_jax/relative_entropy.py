"""Relative entropies that do not cancel: every mutual information of this package is a sum of them.

A difference of entropies loses small information to rounding, the more the more classes there are. A relative entropy
is a sum of non-negative terms, so its error stays in proportion to its value. The two forms here are

    ψ(x) = (1 + x) log(1 + x) - x                                for a centred ratio x = (p - q) / q,
    p log(p / q) - p + q = q ψ((p - q) / q)                      for a probability p and its reference q.

Near 0 both use the series of the inverse hyperbolic tangent in ``z = x / (2 + x)``. Shape legend: ``N`` points, ``K``
draws, ``C`` classes. The functions are pure and hold no ``jit``.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

# Draws are added one after another up to this many, which computes each probability once.
_MOST_DRAWS_UNROLLED = 16
# Up to this z² the series is used, with as many terms as make it exact to rounding; beyond it, the logarithm.
_LARGEST_Z_SQUARED = 0.0625
_NUM_TERMS, _NUM_TERMS_FLOAT64 = 4, 12


class Centred(NamedTuple):
    """Predictions relative to each point's mean over the draws.

    Attributes:
      mean: Predictive mean ``p̄(c)``, ``[N, C]``.
      ratios: Centred ratios ``x_k(c) = (p_k(c) - p̄(c)) / p̄(c)``, from -1 to ``K - 1``, 0 where ``p̄`` is 0;
        ``[N, K, C]``. Their mean over the draws is 0.
    """

    mean: Float[Array, "N C"]
    ratios: Float[Array, "N K C"]


def mean_over_draws(probs: Float[Array, "N K C"]) -> Float[Array, "N C"]:
    """Mean of ``probs[N, K, C]`` over the draws, exactly the common value where all draws agree: ``[N, C]``."""
    num_draws = probs.shape[1]
    first = probs[:, 0]
    if num_draws > _MOST_DRAWS_UNROLLED:
        return first + jnp.mean(probs - first[:, None], axis=1)
    return first + sum((probs[:, draw] - first for draw in range(1, num_draws)), jnp.zeros_like(first)) / num_draws


def centre(log_probs: Float[Array, "N K C"]) -> Centred:
    """The predictions ``log_probs[N, K, C]`` relative to their means."""
    probs = jnp.exp(log_probs)
    mean = mean_over_draws(probs)
    return Centred(mean, (probs - mean[:, None]) / jnp.where(mean > 0, mean, 1)[:, None])


def psi(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``ψ(x) = (1 + x) log(1 + x) - x`` elementwise: 0 at 0, 1 at -1, never negative.

    Args:
      x: At least -1, any shape; what rounding puts below -1 counts as -1.

    Returns:
      ``ψ(x)``, same shape; its gradient is finite above -1.
    """
    ratio = 1 + x
    logs = jnp.log(jnp.where(ratio > 0, ratio, 1))
    return _terms(x, jnp.maximum(ratio, 0), 2 + jnp.maximum(x, -1), logs)


def divergence_terms(
    probs: Float[Array, "*shape"], log_probs: Float[Array, "*shape"], reference: Float[Array, "*#shape"]
) -> Float[Array, "*shape"]:
    """``p log(p / q) - p + q`` elementwise.

    Args:
      probs: Probabilities ``p``, any shape.
      log_probs: Their logarithms, same shape; ``-inf`` is legal.
      reference: Probabilities ``q`` of a shape that broadcasts to it, positive wherever ``p`` is.

    Returns:
      The terms in nats, none of them negative.
    """
    logs = jnp.where(probs > 0, log_probs, 0) - jnp.log(jnp.where(reference > 0, reference, 1))
    total = probs + reference
    return _terms(probs - reference, probs, jnp.where(total > 0, total, 1), logs)


def _terms(
    difference: Float[Array, "*shape"],
    probs: Float[Array, "*shape"],
    total: Float[Array, "*shape"],
    log_ratio: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """``p log(p / q) - (p - q)`` from ``p - q``, ``p``, ``p + q`` and ``log(p / q)``."""
    z = difference / total
    squared = z * z
    num_terms = _NUM_TERMS_FLOAT64 if z.dtype == jnp.float64 else _NUM_TERMS
    series = jnp.zeros_like(z)
    for term in reversed(range(num_terms)):
        series = 1 / (2 * term + 3) + squared * series
    near = z * (difference + 2 * probs * squared * series)
    far = probs * log_ratio - difference
    return jnp.where(squared <= _LARGEST_Z_SQUARED, near, far)

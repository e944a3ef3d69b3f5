"""Label configurations of a set of points, and their likelihood under each draw of the parameters.

A configuration ``m`` gives one label to every point of a set. Only its log-likelihood ``Σ_i log p(y_i^m | θ_k)`` under
each draw, ``[M, K]``, is kept; a further point extends it, and the points themselves are not needed again.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

MAX_CONFIGURATIONS = 10**7


def empty(num_draws: int, dtype: jnp.dtype) -> Float[Array, "1 K"]:
    """The log-likelihoods ``[1, K]`` of the one configuration of no points: all 0."""
    return jnp.zeros((1, num_draws), dtype)


def enumerate_labels(log_likelihoods: Float[Array, "M K"], log_probs: Float[Array, "K C"]) -> Float[Array, "M*C K"]:
    """Extends every configuration by every label of one more point.

    Args:
      log_likelihoods: ``[M, K]``.
      log_probs: Log-probabilities of the point, ``[K, C]``.

    Returns:
      The log-likelihoods ``[M * C, K]``, the label of the added point varying fastest.
    """
    extended = log_likelihoods[:, None, :] + log_probs.T[None, :, :]
    return extended.reshape(-1, log_probs.shape[0])


def enumerate_all(log_probs: Float[Array, "b K C"]) -> Float[Array, "C**b K"]:
    """The log-likelihoods ``[C**b, K]`` of all configurations of the points ``log_probs[b, K, C]``."""
    log_likelihoods = empty(log_probs.shape[1], log_probs.dtype)
    for point in log_probs:
        log_likelihoods = enumerate_labels(log_likelihoods, point)
    return log_likelihoods


def check_can_enumerate(shape: tuple[int, ...]) -> None:
    """Raises ValueError if a batch ``[b, K, C]`` of this shape has more than ``MAX_CONFIGURATIONS`` configurations."""
    num_points, _, num_classes = shape
    if num_classes**num_points > MAX_CONFIGURATIONS:
        raise ValueError(
            f"log_probs of shape {shape}: a batch of {num_points} points with {num_classes} classes has "
            f"{num_classes}**{num_points} label configurations, more than the {MAX_CONFIGURATIONS:,} that can be "
            "enumerated; use entropy.sampled_joint_entropy or a smaller batch"
        )


def enumerate_halves(
    log_probs: Float[Array, "b K C"],
) -> tuple[Float[Array, "C**(b//2) K"], Float[Array, "C**(b-b//2) K"]]:
    """The configurations of the two halves of a batch, whose pairs are the configurations of the batch.

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      Log-likelihoods ``[C**(b // 2), K]`` and ``[C**(b - b // 2), K]``.

    Raises:
      ValueError: If the batch has more than ``10**7`` label configurations.
    """
    check_can_enumerate(log_probs.shape)
    middle = len(log_probs) // 2
    return enumerate_all(log_probs[:middle]), enumerate_all(log_probs[middle:])


def stratified_draws(key: jax.Array, num_samples: int, num_draws: int) -> Int[Array, " M"]:
    """Which draw each sampled configuration comes from: ``[num_samples]`` int32, each of the K draws equally often.

    The draws are taken in turn, starting from a random one: the counts of any two draws differ by at most 1, and each
    configuration's draw is uniform over the K draws.
    """
    first = jax.random.randint(key, (), 0, num_draws, jnp.int32)
    return (first + jnp.arange(num_samples, dtype=jnp.int32)) % num_draws


def sample_labels(
    key: jax.Array, log_likelihoods: Float[Array, "M K"], draws: Int[Array, " M"], log_probs: Float[Array, "K C"]
) -> Float[Array, "M K"]:
    """Extends every configuration by one label of one more point, sampled from the configuration's own draw.

    Args:
      key: Random key, consumed.
      log_likelihoods: ``[M, K]``.
      draws: The draw that each configuration's labels come from, ``[M]`` int32.
      log_probs: Log-probabilities of the point, ``[K, C]``.

    Returns:
      The log-likelihoods ``[M, K]``.
    """
    labels = jax.random.categorical(key, log_probs[draws])
    return log_likelihoods + log_probs.T[labels]


def sample_all(key: jax.Array, log_probs: Float[Array, "b K C"], draws: Int[Array, " M"]) -> Float[Array, "M K"]:
    """The log-likelihoods ``[M, K]`` of configurations of the points ``log_probs[b, K, C]``, one for each of ``draws``.

    All labels of a configuration come from the same draw ``draws[m]``, so that the configurations are samples of the
    joint distribution ``mean_k Π_i p(y_i | θ_k)``.
    """

    def extend(log_likelihoods: jax.Array, keyed_point: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        point_key, point = keyed_point
        return sample_labels(point_key, log_likelihoods, draws, point), None

    num_points, num_draws, _ = log_probs.shape
    nothing_known = jnp.zeros((draws.shape[0], num_draws), log_probs.dtype)
    return jax.lax.scan(extend, nothing_known, (jax.random.split(key, num_points), log_probs))[0]


def posterior(log_likelihoods: Float[Array, "M K"]) -> Float[Array, "M K"]:
    """The weights of the draws under each configuration, ``w_mk ∝ Π_s p(y_s^m | θ_k)``; equal for an impossible one."""
    possible = jnp.max(log_likelihoods, axis=-1, keepdims=True) > -jnp.inf
    return jax.nn.softmax(jnp.where(possible, log_likelihoods, 0), axis=-1)


def similar_groups(
    favourites: Int[Array, " M"], uncertainty: Float[Array, " M"], weights: Float[Array, " M"], num_groups: int
) -> Int[Array, " M"]:
    """Groups of configurations that favour the same draw and leave it about as uncertain.

    Groups of unlikely or nearly certain configurations are larger, so that merging a group into one configuration loses
    little.

    Args:
      favourites: The likeliest draw of each configuration, ``[M]`` integers.
      uncertainty: How uncertain each leaves the draw, at least 0, ``[M]``.
      weights: Probability of each, ``[M]``.
      num_groups: Static.

    Returns:
      The group of each configuration, ``[M]`` int32.
    """
    order = jnp.lexsort((uncertainty, favourites))
    sizes = (weights * uncertainty)[order]
    places = (jnp.cumsum(sizes) - sizes / 2) / jnp.maximum(jnp.sum(sizes), jnp.finfo(sizes.dtype).tiny)
    groups = jnp.clip(places * num_groups, 0, num_groups - 1).astype(jnp.int32)
    return jnp.zeros_like(groups).at[order].set(groups)

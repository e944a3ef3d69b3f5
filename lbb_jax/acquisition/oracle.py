"""An oracle, for simulations: it sees the labels that it asks for, and shows how much a method leaves to be gained.

Ten methods propose batches: each method proposes several, from random halves of the pool. For every batch a last layer
is trained anew on the labelled points and the batch. The oracle takes the batch whose last layer is right most often on
points that were set aside. This is the idea of the "best of strategies" of Huseljic et al. (2026).

The last layers are multinomial logistic regressions on the embeddings. Their Hessian is at most ``½ Σ x xᵀ`` for each
class (Böhning, "Multinomial logistic regression algorithm", 1992), so that steps with that fixed matrix need no line
search; they are accelerated as Nesterov's. All batches are trained side by side.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Int32

from lbb_jax import arguments
from lbb_jax.acquisition.badge import badge
from lbb_jax.acquisition.cluster_margin import cluster_margin
from lbb_jax.acquisition.large_batch_bald import large_batch_bald, power_large_batch_bald
from lbb_jax.acquisition.pointwise import bald, least_confident, margin, max_entropy, power_bald, random
from lbb_jax.acquisition.sampling import ranks
from lbb_jax.acquisition.selection import NO_POINT, Acquisition

NUM_METHODS = 10
_NUM_STEPS_OF_START, _NUM_STEPS = 200, 50
_HIGHEST = jax.lax.Precision.HIGHEST


def oracle(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    embeddings: Float[ArrayLike, "N D"],
    labels: Int[ArrayLike, " N"],
    num_candidates: int = 100,
    num_held_out: int = 1000,
    prior_precision: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks one of the batches that ten methods propose: the one after which a last layer is most accurate.

    Points that are not available count as labelled.

    Args:
      key: Random key, consumed.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      embeddings: Inputs of the network's last layer, ``[N, D]``; they are standardised.
      labels: The labels of all points, ``[N]`` integers.
      num_candidates: Static: how many batches are proposed, a multiple of 10.
      num_held_out: Static: how many available points accuracy is measured on. They are drawn at random, and no batch
        holds them; there are fewer if not enough points for two batches would be left.
      prior_precision: The precision of the Gaussian prior of the last layers' parameters, above 0.

    Returns:
      The best batch; the score of each of its picks is the batch's accuracy.

    Raises:
      ValueError: If ``num_candidates`` is no multiple of 10.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    if num_candidates < 1 or num_candidates % NUM_METHODS:
        raise ValueError(f"num_candidates={num_candidates}: must be a multiple of the {NUM_METHODS} methods")
    embeddings = jnp.asarray(arguments.as_embeddings("embeddings", embeddings, len(log_probs)))
    is_finite = jnp.all(jnp.isfinite(embeddings), axis=1)
    features = _features(embeddings, is_finite)
    held_out_key, key = jax.random.split(key)
    num_left = jnp.sum(available, dtype=jnp.int32) - 2 * batch_size
    is_held_out = _first(held_out_key, available, jnp.clip(num_left, 0, num_held_out))
    free = available & ~is_held_out
    propose = _proposals(log_probs, embeddings, free, batch_size)
    batches = jnp.concatenate(
        [
            jax.lax.map(method, jax.random.split(method_key, num_candidates // NUM_METHODS))
            for method, method_key in zip(propose, jax.random.split(key, NUM_METHODS), strict=True)
        ]
    )
    labels = jnp.asarray(labels)
    is_labelled = (~available & is_finite).astype(features.dtype)
    classes = jax.nn.one_hot(labels, log_probs.shape[2], dtype=features.dtype)
    nothing = jnp.zeros((features.shape[1], classes.shape[1]), features.dtype)
    start = train_last_layer(features, classes, is_labelled, nothing, prior_precision, num_steps=_NUM_STEPS_OF_START)

    def measure(batch: jax.Array) -> tuple[jax.Array, jax.Array]:
        weights = is_labelled.at[jnp.where(batch == NO_POINT, len(is_labelled), batch)].set(1, mode="drop")
        layer = train_last_layer(features, classes, weights, start, prior_precision, num_steps=_NUM_STEPS)
        log_predictions = jax.nn.log_softmax(jnp.matmul(features, layer, precision=_HIGHEST), axis=1)
        is_right = jnp.argmax(log_predictions, axis=1) == labels
        likelihood = jnp.sum(jnp.where(is_held_out[:, None], classes * log_predictions, 0))
        return jnp.sum(is_right & is_held_out, dtype=jnp.int32), likelihood

    num_right, likelihoods = jax.vmap(measure)(batches)
    # Equally accurate batches are ordered by their likelihood.
    best = jnp.lexsort((-likelihoods, -num_right))[0]
    accuracy = num_right[best] / jnp.maximum(jnp.sum(is_held_out, dtype=jnp.int32), 1)
    scores = jnp.where(batches[best] == NO_POINT, -jnp.inf, accuracy.astype(features.dtype))
    return Acquisition(batches[best], scores)


def train_last_layer(
    features: Float[Array, "N D"],
    classes: Float[Array, "N C"],
    weights: Float[Array, " N"],
    start: Float[Array, "D C"],
    prior_precision: Float[Array, ""] | float,
    *,
    num_steps: int,
) -> Float[Array, "D C"]:
    """Goes down ``-Σ_n w_n log p(y_n | x_n, θ) + ½ λ |θ|²`` of a multinomial logistic regression.

    Args:
      features: ``[N, D]``.
      classes: The labels, one-hot, ``[N, C]``.
      weights: ``w``, at least 0, ``[N]``.
      start: ``θ``, ``[D, C]``.
      prior_precision: ``λ``, above 0.
      num_steps: Static.

    Returns:
      ``θ``, ``[D, C]``.
    """
    gram = jnp.matmul(features.T * weights[None], features, precision=_HIGHEST)
    bound = gram / 2 + prior_precision * jnp.eye(len(gram), dtype=gram.dtype)
    factor = jax.scipy.linalg.cho_factor(bound)

    def step(carry: tuple[jax.Array, jax.Array], number: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        before, ahead = carry
        residuals = jax.nn.softmax(jnp.matmul(features, ahead, precision=_HIGHEST), axis=1) - classes
        gradient = jnp.matmul(features.T, weights[:, None] * residuals, precision=_HIGHEST) + prior_precision * ahead
        after = ahead - jax.scipy.linalg.cho_solve(factor, gradient)
        return (after, after + number / (number + 3) * (after - before)), None

    numbers = jnp.arange(num_steps, dtype=start.dtype)
    return jax.lax.scan(step, (start, start), numbers)[0][0]


def _proposals(
    log_probs: Float[Array, "N K C"], embeddings: Float[Array, "N D"], free: Bool[Array, " N"], batch_size: int
) -> list[Callable[[jax.Array], Int32[Array, " b"]]]:
    """The methods, each a function from a key to the indices ``[b]`` that it picks from a random half of ``free``.

    None of them looks at points that are not available.
    """
    methods = {
        random: {},
        least_confident: {},
        margin: {},
        max_entropy: {},
        bald: {},
        power_bald: {},
        large_batch_bald: {"redundancy": "tree"},
        power_large_batch_bald: {"redundancy": "tree"},
        badge: {"embeddings": embeddings},
        cluster_margin: {"embeddings": embeddings},
    }
    size = jnp.maximum(jnp.sum(free, dtype=jnp.int32) // 2, batch_size)

    def proposal(method: Callable[..., Acquisition], options: dict[str, Any]) -> Callable[[jax.Array], jax.Array]:
        def propose(key: jax.Array) -> jax.Array:
            half_key, method_key = jax.random.split(key)
            half = _first(half_key, free, size)
            return method(method_key, log_probs, half, batch_size=batch_size, **options).indices

        return propose

    return [proposal(method, options) for method, options in methods.items()]


def _features(embeddings: Float[Array, "N D"], included: Bool[Array, " N"]) -> Float[Array, "N features"]:
    """``embeddings[N, D]`` standardised over the rows that are included, the others 0, and a column of ones."""
    rows = jnp.where(included[:, None], embeddings, 0)
    count = jnp.maximum(jnp.sum(included), 1).astype(rows.dtype)
    mean = jnp.sum(rows, axis=0) / count
    deviations = jnp.where(included[:, None], rows - mean[None], 0)
    std = jnp.sqrt(jnp.sum(jnp.square(deviations), axis=0) / count)
    ones = jnp.ones((len(rows), 1), rows.dtype)
    return jnp.concatenate([deviations / jnp.where(std > 0, std, 1)[None], ones], axis=1)


def _first(key: jax.Array, candidates: Bool[Array, " N"], count: Int[Array, ""]) -> Bool[Array, " N"]:
    """``count[]`` of the ``candidates[N]``, drawn at random: a mask ``[N]``."""
    return candidates & (ranks(-jax.random.uniform(key, candidates.shape), candidates) <= count)

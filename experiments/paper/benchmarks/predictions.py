"""Predictions to measure on, like those of an ensemble trained on few labels, for pools of any size."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

# Chosen so that the scores spread as those of five networks trained on 100 MNIST digits do: half the pool tells next to
# nothing, a tenth more than a tenth of a nat.
_NUM_FEATURES = 16
_DISTANCE_OF_CLASSES = 1.2
_SHARPNESS = 1.6
_DISAGREEMENT = 0.35
# Sizes for the pool of points that are nearly certain.
_LOGIT_SIZE = 10.0
_MAP_SIZE = 0.1
_NOISE_SIZE = 0.1


def generate(key: jax.Array, num_points: int, num_draws: int, num_classes: int) -> jax.Array:
    """Log-probabilities of linear classifiers that share most of their weights, on a mixture of Gaussians.

    Args:
      key: Random key, consumed.
      num_points: Points in the pool, static.
      num_draws: Classifiers, static.
      num_classes: Classes, one Gaussian each, static.

    Returns:
      ``[N, K, C]`` float32.
    """
    return stream_block(key, 0, num_points, num_draws, num_classes)


def random_dirichlet(key: jax.Array, num_points: int, num_draws: int, num_classes: int) -> jax.Array:
    """Log-probabilities without any structure, uniform over the simplex; every point tells about as much.

    Args:
      key: Random key, consumed.
      num_points: Points in the pool, static.
      num_draws: Draws, static.
      num_classes: Classes, static.

    Returns:
      ``[N, K, C]`` float32.
    """
    exponential = jax.random.exponential(key, (num_points, num_draws, num_classes))
    return jax.nn.log_softmax(jnp.log(jnp.maximum(exponential, jnp.finfo(jnp.float32).tiny)), axis=-1)


def near_certain_with_copies(key: jax.Array, num_points: int, num_draws: int, num_classes: int) -> jax.Array:
    """Log-probabilities of points that most draws are nearly certain about; each point but a last odd one is there
    twice.

    The draws differ by random linear maps of common logits, and by noise whose size varies from point to point.

    Args:
      key: Random key, consumed.
      num_points: Points in the pool, static.
      num_draws: Draws, static.
      num_classes: Classes, static.

    Returns:
      ``[N, K, C]`` float32.
    """
    logit_key, map_key, size_key, noise_key = jax.random.split(key, 4)
    num_originals = -(-num_points // 2)
    logits = _LOGIT_SIZE * jax.random.normal(logit_key, (num_originals, num_classes))
    maps = _MAP_SIZE * jax.random.normal(map_key, (num_draws, num_classes, num_classes)) / num_classes**0.5
    sizes = jnp.exp(jax.random.normal(size_key, (num_originals, 1, 1))) * _NOISE_SIZE
    noise = sizes * jax.random.normal(noise_key, (num_originals, num_draws, num_classes))
    of_draws = logits[:, None] + jnp.einsum("nc,kcd->nkd", logits, maps) + noise
    return jnp.tile(jax.nn.log_softmax(of_draws, axis=-1), (2, 1, 1))[:num_points]


def stream_block(
    key: jax.Array, block: jax.Array | int, num_points: int, num_draws: int, num_classes: int
) -> jax.Array:
    """A block of points, as `generate` makes them, from the same classes and classifiers for every block."""
    class_key, weight_key, point_key = jax.random.split(key, 3)
    label_key, noise_key = jax.random.split(jax.random.fold_in(point_key, block))
    centres = _DISTANCE_OF_CLASSES * jax.random.normal(class_key, (num_classes, _NUM_FEATURES))
    disagreement = jax.random.normal(weight_key, (num_draws, num_classes, _NUM_FEATURES))
    weights = _SHARPNESS * (centres[None] + _DISAGREEMENT * disagreement)
    biases = -0.5 * _SHARPNESS * jnp.sum(centres**2, axis=-1)
    labels = jax.random.randint(label_key, (num_points,), 0, num_classes)
    features = centres[labels] + jax.random.normal(noise_key, (num_points, _NUM_FEATURES))
    logits = jnp.einsum("nf,kcf->nkc", features, weights) + biases[None, None]
    return jax.nn.log_softmax(logits, axis=-1)


POOLS: Mapping[str, Callable[[jax.Array, int, int, int], jax.Array]] = MappingProxyType(
    {"generated": generate, "dirichlet": random_dirichlet, "near_certain": near_certain_with_copies}
)

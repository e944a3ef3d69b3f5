"""What every approximate posterior offers, and prediction in chunks."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import examples as example_lib
from lbb_jax.chunks import map_chunks
from lbb_jax.examples import Examples
from lbb_jax.labelled_set import LabelledSet

CHUNK_SIZE = 500


class Posterior(NamedTuple):
    """An approximate posterior ``p(θ | labelled points)``. Keys come first and are consumed.

    Attributes:
      init: ``(key, inputs[B, ...]) -> params``: freshly drawn parameters for inputs of this shape.
      fit: ``(key, params, pool, labelled) -> (params, losses[members, steps])``: trains on the labelled points.
      sample: ``(key, params, examples, *, num_draws=None) -> log_probs[N, K, C]``: log-probabilities of all
        ``examples`` under ``K`` draws; draw ``k`` is one function, the same for every example.
    """

    init: Callable[[jax.Array, jax.Array], Any]
    fit: Callable[[jax.Array, Any, Examples, LabelledSet], tuple[Any, jax.Array]]
    sample: Callable[..., jax.Array]


def predict_in_chunks(predict: Callable[[jax.Array], jax.Array], examples: Examples) -> jax.Array:
    """Log-probabilities of all examples, a few hundred at a time.

    Args:
      predict: From inputs ``[B, ...]`` to logits ``[B, K, C]``.
      examples: ``N`` examples; their inputs exist only a chunk at a time.

    Returns:
      ``[N, K, C]``, rows normalised.
    """
    chunk_size = min(CHUNK_SIZE, examples.num_examples)

    def chunk(start: jax.Array) -> jax.Array:
        indices = start + jnp.arange(chunk_size, dtype=jnp.int32)
        return jax.nn.log_softmax(predict(example_lib.inputs(examples, indices)), axis=-1)

    return map_chunks(chunk, examples.num_examples, chunk_size)

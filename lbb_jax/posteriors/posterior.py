"""What every approximate posterior offers, and prediction in chunks."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import jax
from jaxtyping import Array, Float, PyTree

from lbb_jax import examples as example_lib
from lbb_jax.examples import Data, Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables


class Sample(Protocol):
    """Log-probabilities of all examples under ``K`` draws of the parameters."""

    def __call__(
        self, key: jax.Array, params: PyTree, examples: Examples, /, *, num_draws: int | None = None
    ) -> Float[Array, "N K C"]:
        """As `Posterior.sample`."""
        ...


class Posterior(NamedTuple):
    """An approximate posterior ``p(θ | labelled points)``. Keys come first and are consumed.

    Attributes:
      init: ``(key, inputs[B, ...]) -> params``: freshly drawn parameters for inputs of this shape.
      fit: ``(key, params, data, labelled) -> (params, losses[members, units])``: trains on the labelled points of
        ``data.pool``; a unit of training is a step or an epoch.
      sample: ``(key, params, examples, *, num_draws=None) -> log_probs[N, K, C]``: log-probabilities of all
        ``examples`` under ``K`` draws; draw ``k`` is one function, the same for every example.
      embed: ``(params, examples) -> embeddings[N, D]``: the inputs of the last layer of one network that stands for all
        draws. None if there are none; then methods that need embeddings are refused.
      num_test_draws: Draws to evaluate with, which ``sample`` takes as ``num_draws``; None for as many as for the pool.
      needs_dropout: Whether the draws are dropout masks, so that the network must have dropout.
    """

    init: Callable[[jax.Array, jax.Array], PyTree]
    fit: Callable[[jax.Array, PyTree, Data, LabelledSet], tuple[PyTree, Float[Array, "members units"]]]
    sample: Sample
    embed: Callable[[PyTree, Examples], Float[Array, "N D"]] | None = None
    num_test_draws: int | None = None
    needs_dropout: bool = False


def embedding_of(
    network: Network, select: Callable[[PyTree], Variables]
) -> Callable[[PyTree, Examples], Float[Array, "N D"]] | None:
    """The function ``embed`` of a posterior that embeds by one network, None if the network has no embeddings.

    Args:
      network: The network.
      select: Maps the posterior's parameters to the network's variables.
    """
    embed = network.embed
    if embed is None:
        return None
    return lambda params, examples: example_lib.map_inputs(lambda inputs: embed(select(params), inputs), examples)


def predict_in_chunks(
    predict: Callable[[jax.Array], Float[Array, "B K C"]], examples: Examples
) -> Float[Array, "N K C"]:
    """Log-probabilities of all examples, a few hundred at a time.

    Args:
      predict: Maps inputs ``[B, ...]`` to logits ``[B, K, C]``.
      examples: ``N`` examples; their inputs exist only a chunk at a time.

    Returns:
      ``[N, K, C]``, rows normalised.
    """
    return example_lib.map_inputs(lambda inputs: jax.nn.log_softmax(predict(inputs), axis=-1), examples)

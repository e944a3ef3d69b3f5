"""Monte Carlo dropout (Gal and Ghahramani, 2016): one network, each dropout mask a draw."""

import jax
import jax.numpy as jnp

from lbb_jax import ranges
from lbb_jax.examples import Data, Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables
from lbb_jax.posteriors.posterior import Posterior, embedding_of, predict_in_chunks
from lbb_jax.ranges import Count, OptionalCount
from lbb_jax.training import Training


@ranges.checked
def mc_dropout(
    network: Network, training: Training, *, num_draws: Count, num_test_draws: OptionalCount = None
) -> Posterior:
    """One network, trained with dropout, whose draws are dropout masks.

    A mask is the same for every input, so that it is one function. What comes before the network's first dropout is
    computed once for all masks.

    Args:
      network: The network, with dropout.
      training: How it is trained.
      num_draws: The default ``K`` of ``sample``, at least 1.
      num_test_draws: ``K`` to evaluate with, at least 1; None for ``num_draws``.

    Returns:
      The posterior. Its parameters are the network's variables. Embeddings are those of the network without dropout.

    Raises:
      ValueError: If a number of draws is below 1.
    """
    default_num_draws = num_draws

    def fit(key: jax.Array, variables: Variables, data: Data, labelled: LabelledSet) -> tuple[Variables, jax.Array]:
        variables, losses = training.fit(key, network, variables, data, labelled)
        return variables, losses[None]

    def sample(key: jax.Array, variables: Variables, examples: Examples, *, num_draws: int | None = None) -> jax.Array:
        num_draws = default_num_draws if num_draws is None else num_draws
        if num_draws < 1:
            raise ValueError(f"num_draws={num_draws}: must be at least 1")
        mask_keys = jax.random.split(key, num_draws)

        def predict(inputs: jax.Array) -> jax.Array:
            hidden = network.before_dropout(variables, inputs)
            logits = jax.lax.map(lambda mask_key: network.masked_logits(mask_key, variables, hidden), mask_keys)
            return jnp.swapaxes(logits, 0, 1)

        return predict_in_chunks(predict, examples)

    embed = embedding_of(network, lambda variables: variables)
    return Posterior(network.init, fit, sample, embed, num_test_draws, needs_dropout=True)

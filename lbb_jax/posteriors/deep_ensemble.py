"""Deep ensembles (Lakshminarayanan et al., 2017): networks trained from different starts, each one a draw."""

import jax
import jax.numpy as jnp

from lbb_jax import ranges
from lbb_jax.batching import map_some_at_once
from lbb_jax.examples import Data, Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables
from lbb_jax.posteriors.posterior import Posterior, embedding_of, predict_in_chunks
from lbb_jax.ranges import Count, OptionalCount
from lbb_jax.training import Training


@ranges.checked
def deep_ensemble(
    network: Network, training: Training, *, num_members: Count, members_at_once: OptionalCount = None
) -> Posterior:
    """An ensemble of ``num_members`` networks, trained side by side; dropout acts in training only.

    Args:
      network: The network of every member.
      training: How each is trained, on minibatches of its own.
      num_members: ``K``, at least 1.
      members_at_once: How many are trained side by side, at least 1; the others wait. None for all.

    Returns:
      The posterior. Its parameters are the network's variables with a leading axis ``[K]``. Embeddings are those of the
      first member: every member has features of its own, whose mean would have no meaning.

    Raises:
      ValueError: If ``num_members`` or ``members_at_once`` is below 1; by ``sample``, if ``num_draws`` is not
        ``num_members``.
    """
    at_once = num_members if members_at_once is None else members_at_once

    def init(key: jax.Array, inputs: jax.Array) -> Variables:
        return jax.vmap(network.init, in_axes=(0, None))(jax.random.split(key, num_members), inputs)

    def fit(key: jax.Array, variables: Variables, data: Data, labelled: LabelledSet) -> tuple[Variables, jax.Array]:
        def fit_member(member: tuple[jax.Array, Variables]) -> tuple[Variables, jax.Array]:
            key, variables = member
            return training.fit(key, network, variables, data, labelled)

        return map_some_at_once(fit_member, (jax.random.split(key, num_members), variables), at_once=at_once)

    def sample(key: jax.Array, variables: Variables, examples: Examples, *, num_draws: int | None = None) -> jax.Array:
        del key
        if num_draws not in (None, num_members):
            raise ValueError(f"num_draws={num_draws}: an ensemble has as many draws as members, {num_members}")

        def predict(inputs: jax.Array) -> jax.Array:
            # One member after the other: convolutions with a kernel for each member would be grouped, and slow.
            logits = jax.lax.map(lambda member: network.logits(member, inputs), variables)
            return jnp.swapaxes(logits, 0, 1)

        return predict_in_chunks(predict, examples)

    embed = embedding_of(network, lambda variables: jax.tree.map(lambda leaf: leaf[0], variables))
    return Posterior(init, fit, sample, embed)

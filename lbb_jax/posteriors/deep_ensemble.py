"""Deep ensembles (Lakshminarayanan et al., 2017): networks trained from different starts, each one a draw."""

from typing import Any

import jax
import jax.numpy as jnp

from lbb_jax import training
from lbb_jax.examples import Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network
from lbb_jax.posteriors.posterior import Posterior, predict_in_chunks
from lbb_jax.training import Training


def deep_ensemble(network: Network, training_settings: Training, *, num_members: int) -> Posterior:
    """An ensemble of ``num_members`` networks, trained side by side; dropout acts in training only.

    Args:
      network: The network of every member.
      training_settings: How each is trained, on minibatches of its own.
      num_members: ``K``, at least 1.

    Returns:
      The posterior. Its parameters are those of the network with a leading axis ``[K]``.

    Raises:
      ValueError: If ``num_members`` is below 1; by ``sample``, if ``num_draws`` is not ``num_members``.
    """
    if num_members < 1:
        raise ValueError(f"num_members={num_members}: must be at least 1")

    def init(key: jax.Array, inputs: jax.Array) -> Any:
        return jax.vmap(network.init, in_axes=(0, None))(jax.random.split(key, num_members), inputs)

    def fit(key: jax.Array, params: Any, pool: Examples, labelled: LabelledSet) -> tuple[Any, jax.Array]:
        def fit_member(key: jax.Array, params: Any) -> tuple[Any, jax.Array]:
            return training.fit(key, params, network=network, training=training_settings, pool=pool, labelled=labelled)

        return jax.vmap(fit_member)(jax.random.split(key, num_members), params)

    def sample(key: jax.Array, params: Any, examples: Examples, *, num_draws: int | None = None) -> jax.Array:
        del key
        if num_draws not in (None, num_members):
            raise ValueError(f"num_draws={num_draws}: an ensemble has as many draws as members, {num_members}")

        def predict(inputs: jax.Array) -> jax.Array:
            # One member after the other: convolutions with a kernel for each member would be grouped, and slow.
            logits = jax.lax.map(lambda member: network.logits(member, inputs), params)
            return jnp.swapaxes(logits, 0, 1)

        return predict_in_chunks(predict, examples)

    return Posterior(init, fit, sample)

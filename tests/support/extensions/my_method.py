"""A method of acquisition: BALD, softened by a temperature and sampled."""

import jax
import jax.numpy as jnp

from lbb_jax import information
from lbb_jax.acquisition import Acquisition, Method


def warm_bald(key, log_probs, available, *, batch_size, temperature: float = 1.0):
    """Draws a batch with probabilities proportional to ``exp(BALD / temperature)``, without replacement."""
    scores = information.mutual_information(log_probs)
    noisy = scores / temperature + jax.random.gumbel(key, scores.shape)
    _, indices = jax.lax.top_k(jnp.where(available, noisy, -jnp.inf), batch_size)
    return Acquisition(indices, scores[indices])


# What else is known of it, such as its name in figures.
WARM_BALD = Method(warm_bald, label="Warm BALD", samples=True)

"""A method of acquisition: BALD, softened by a temperature and sampled."""

import jax

from lbb_jax import information
from lbb_jax.acquisition import Acquisition


def warm_bald(key, log_probs, available, *, batch_size, temperature: float = 1.0):
    """Draws a batch with probabilities proportional to ``exp(BALD / temperature)``, without replacement."""
    scores = information.mutual_information(log_probs)
    noisy = scores / temperature + jax.random.gumbel(key, scores.shape)
    _, indices = jax.lax.top_k(jax.numpy.where(available, noisy, -jax.numpy.inf), batch_size)
    return Acquisition(indices, scores[indices])

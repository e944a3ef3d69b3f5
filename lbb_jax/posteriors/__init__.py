"""Approximate posteriors over a network's parameters: each a `Posterior`.

A `Posterior` has pure functions to initialise, fit, sample and, where possible, embed.
"""

from lbb_jax.posteriors.deep_ensemble import deep_ensemble
from lbb_jax.posteriors.laplace import laplace
from lbb_jax.posteriors.mc_dropout import mc_dropout
from lbb_jax.posteriors.posterior import Posterior, embedding_of, predict_in_chunks

__all__ = ["Posterior", "deep_ensemble", "embedding_of", "laplace", "mc_dropout", "predict_in_chunks"]

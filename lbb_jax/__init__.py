"""Batch Bayesian active learning in JAX: which points should be labelled next?

The pure numerical core is imported here; everything that touches files, data sets or figures is imported by name, as
in ``from lbb_jax import datasets``.

Shape legend, used in every docstring: ``N`` pool points, ``K`` draws of the model parameters (ensemble members or
dropout masks), ``C`` classes, ``b`` points in a batch, ``M`` label configurations. Information is in nats.
"""

from importlib import metadata

from lbb_jax import acquisition, entropy, information

__version__ = metadata.version("lbb_jax")

__all__ = ["acquisition", "entropy", "information"]

"""Data sets, as a pool of examples to label and test examples."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.datasets.catalogue import NAMES, Dataset, check, load
    from lbb_jax.datasets.prepared import MissingDatasetError

__all__ = ["NAMES", "Dataset", "MissingDatasetError", "check", "load"]

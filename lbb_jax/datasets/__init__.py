"""Data sets, as a pool of examples to label and test examples."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.datasets.catalogue import Dataset, check, load
    from lbb_jax.datasets.prepared import MissingDatasetError
    from lbb_jax.datasets.source import Source, Split, in_memory

__all__ = ["Dataset", "MissingDatasetError", "Source", "Split", "check", "in_memory", "load"]

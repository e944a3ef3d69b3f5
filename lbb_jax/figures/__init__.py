"""Figures, all in one style, with what was reduced in their titles."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.figures.catalogue import FIGURES
    from lbb_jax.figures.runs import (
        acquired_images,
        area_differences,
        batch_diversity,
        label_savings,
        learning_curves,
        performance_profile,
        savings,
    )
    from lbb_jax.figures.style import COLOURS, SUFFIXES, line_styles, save
    from lbb_jax.figures.timing import time_against_batch_size
    from lbb_jax.figures.titles import dataset_title, describe_experiment, range_of, with_names

__all__ = [
    "COLOURS",
    "FIGURES",
    "SUFFIXES",
    "acquired_images",
    "area_differences",
    "batch_diversity",
    "dataset_title",
    "describe_experiment",
    "label_savings",
    "learning_curves",
    "line_styles",
    "performance_profile",
    "range_of",
    "save",
    "savings",
    "time_against_batch_size",
    "with_names",
]

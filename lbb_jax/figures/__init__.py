"""Figures, all in one style, with what was reduced in their titles."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.figures.acquired import acquired_images
    from lbb_jax.figures.approximation import approximation_error, approximation_of_picks, joint_information
    from lbb_jax.figures.differences import area_differences
    from lbb_jax.figures.diversity import batch_diversity
    from lbb_jax.figures.learning import learning_curves
    from lbb_jax.figures.profiles import performance_profile
    from lbb_jax.figures.released import released_score
    from lbb_jax.figures.savings import label_savings
    from lbb_jax.figures.style import COLOURS, SUFFIXES, line_styles, save
    from lbb_jax.figures.timing import time_against_batch_size
    from lbb_jax.figures.titles import dataset_title, describe_experiment, range_of

__all__ = [
    "COLOURS",
    "SUFFIXES",
    "acquired_images",
    "approximation_error",
    "approximation_of_picks",
    "area_differences",
    "batch_diversity",
    "dataset_title",
    "describe_experiment",
    "joint_information",
    "label_savings",
    "learning_curves",
    "line_styles",
    "performance_profile",
    "range_of",
    "released_score",
    "save",
    "time_against_batch_size",
]

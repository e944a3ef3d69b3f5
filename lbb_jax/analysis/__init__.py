"""Runs as one tidy table, and what is read off it."""

from lbb_jax.analysis.areas import areas_under_curve
from lbb_jax.analysis.curves import EXPERIMENT
from lbb_jax.analysis.names import NAMES, base_variant, variant_name
from lbb_jax.analysis.paired import PairedDifference, paired_difference, paired_differences
from lbb_jax.analysis.profiles import final_errors, performance_profile, performance_ratios
from lbb_jax.analysis.runs import load_runs
from lbb_jax.analysis.savings import labels_to_reach, summarise_savings
from lbb_jax.analysis.summary import summarise

__all__ = [
    "EXPERIMENT",
    "NAMES",
    "PairedDifference",
    "areas_under_curve",
    "base_variant",
    "final_errors",
    "labels_to_reach",
    "load_runs",
    "paired_difference",
    "paired_differences",
    "performance_profile",
    "performance_ratios",
    "summarise",
    "summarise_savings",
    "variant_name",
]

"""Runs as one tidy table, and what is read off it."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.analysis.acquired import load_acquired, load_pool
    from lbb_jax.analysis.areas import areas_under_curve
    from lbb_jax.analysis.comparison import flatten
    from lbb_jax.analysis.curves import EXPERIMENT, split_by_experiment, with_empty_texts
    from lbb_jax.analysis.diversity import batch_diversity, summarise_diversity
    from lbb_jax.analysis.names import NAMES, base_variant, variant_name, variant_names
    from lbb_jax.analysis.paired import PairedDifference, paired_difference, paired_differences
    from lbb_jax.analysis.profiles import final_errors, performance_profile, performance_ratios
    from lbb_jax.analysis.runs import describe_reduction, describe_runs, find_runs, load_runs
    from lbb_jax.analysis.savings import labels_to_reach, summarise_savings
    from lbb_jax.analysis.summary import summarise

__all__ = [
    "EXPERIMENT",
    "NAMES",
    "PairedDifference",
    "areas_under_curve",
    "base_variant",
    "batch_diversity",
    "describe_reduction",
    "describe_runs",
    "final_errors",
    "find_runs",
    "flatten",
    "labels_to_reach",
    "load_acquired",
    "load_pool",
    "load_runs",
    "paired_difference",
    "paired_differences",
    "performance_profile",
    "performance_ratios",
    "split_by_experiment",
    "summarise",
    "summarise_diversity",
    "summarise_savings",
    "variant_name",
    "variant_names",
    "with_empty_texts",
]

"""Runs as one tidy table, and statistics of it."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.analysis.acquired import batch_diversity, load_acquired, load_pool, summarise_diversity
    from lbb_jax.analysis.curves import (
        EXPERIMENT,
        areas_under_curve,
        labels_to_reach,
        split_by_experiment,
        summarise,
        summarise_savings,
        with_empty_texts,
    )
    from lbb_jax.analysis.names import NAMES, base_variant, variant_name, variant_names, without_sampling
    from lbb_jax.analysis.runs import describe_reduction, describe_runs, find_runs, flatten, load_runs
    from lbb_jax.analysis.savings import read_pilot, savings, say_savings, tabulate_savings
    from lbb_jax.analysis.statistics import (
        PairedDifference,
        final_errors,
        paired_difference,
        paired_differences,
        performance_profile,
        performance_ratios,
    )
    from lbb_jax.analysis.wins import wins

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
    "read_pilot",
    "savings",
    "say_savings",
    "split_by_experiment",
    "summarise",
    "summarise_diversity",
    "summarise_savings",
    "tabulate_savings",
    "variant_name",
    "variant_names",
    "wins",
    "with_empty_texts",
    "without_sampling",
]

"""The names of methods and their variants, as tables and figures show them."""

from collections.abc import Mapping, Sequence
from typing import Any

from lbb_jax import acquisition

NAMES = {
    "random": "Random",
    "least_confident": "Least confident",
    "margin": "Margin",
    "entropy": "Entropy",
    "bald": "BALD",
    "power_bald": "PowerBALD",
    "batch_bald": "BatchBALD",
    "lbb": "LBB",
    "power_lbb": "Power LBB",
    "lbb_released": "LBB (released)",
    "log_det": "Log-det",
    "epig": "EPIG",
    "core_set": "Core-set",
    "badge": "BADGE",
}
_SYMBOLS = {"alpha": "α"}
# Between a variant's name and the options that tell it from another of the same name.
_SEPARATOR = ", "


def variant_name(method: str, *, redundancy: str = "pairwise", power: bool = False) -> str:
    """The name of a method as figures show it, with the redundancy, or the power sampling, of those that have it."""
    if method in ("lbb", "power_lbb"):
        return f"{NAMES[method]} ({redundancy})"
    return f"Power {NAMES[method]}" if power and method in ("lbb_released", "epig") else NAMES[method]


def variant_names(acquisitions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the variants that are shown together, with the options that tell apart those of the same name.

    Args:
      acquisitions: The field ``acquisition`` of each one's configuration.

    Returns:
      The names, in the same order.
    """
    names = [
        variant_name(fields["method"], redundancy=fields["redundancy"], power=fields.get("power", False))
        for fields in acquisitions
    ]
    return tell_apart(names, [_options_to_tell_apart(fields) for fields in acquisitions])


def numeric_options(fields: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in a configuration's ``acquisition`` that its method depends on."""
    options = acquisition.options_with_effect(fields["method"], fields)
    # Not isinstance: a truth value is an int, too.
    return {name: value for name, value in options.items() if type(value) in (int, float)}


def _options_to_tell_apart(fields: Mapping[str, Any]) -> dict[str, float | str]:
    """The options in a configuration's ``acquisition`` that its method depends on and its name does not tell."""
    options = acquisition.options_with_effect(fields["method"], fields)
    return numeric_options(fields) | {name: value for name, value in options.items() if name == "pairs"}


def tell_apart(names: Sequence[str], options: Sequence[Mapping[str, Any]]) -> list[str]:
    """Adds to names that occur several times the options that differ between them.

    >>> tell_apart(["PowerBALD", "PowerBALD", "BALD"], [{"alpha": 1.0}, {"alpha": 5.0}, {}])
    ['PowerBALD, α = 1', 'PowerBALD, α = 5', 'BALD']

    Args:
      names: As `variant_name` returns them, one for each run.
      options: The numbers and names that each run's method depends on, by the name of the option.

    Returns:
      The names, in the same order.
    """
    told_apart = []
    for name, own in zip(names, options, strict=True):
        namesakes = [other for other_name, other in zip(names, options, strict=True) if other_name == name]
        differing = [option for option in own if len({other.get(option) for other in namesakes}) > 1]
        values = [f"{_SYMBOLS.get(option, option.replace('_', ' '))} = {_shown(own[option])}" for option in differing]
        told_apart.append(_SEPARATOR.join([name, *values]))
    return told_apart


def _shown(value: float | str) -> str:
    """An option's value as figures show it."""
    return value if isinstance(value, str) else f"{value:g}"


def base_variant(name: str) -> str:
    """The name of a variant without the options that `load_runs` added to tell it from others."""
    return name.split(_SEPARATOR)[0]

"""The names of methods and their variants, as tables and figures show them."""

from collections.abc import Mapping, Sequence
from typing import Any

from lbb_jax import acquisition

NAMES = {name: row.label for name, row in acquisition.METHODS.items()}
_SYMBOLS = {"alpha": "α"}
# Between a variant's name and the options that tell it from another of the same name.
_SEPARATOR = ", "


def variant_name(method: str, options: Mapping[str, Any], *, label: str = "") -> str:
    """The name of a method as figures show it, with its redundancy and its sampling.

    A method that is not built in is named by its ``label``. Without a label, ``"module:attribute"`` is named by its
    attribute, and any other name is used unchanged.

    >>> variant_name("lbb", {"redundancy": "tree"}), variant_name("epig", {"sampling": "power"})
    ('LBB (tree)', 'Power EPIG')
    """
    row = acquisition.METHODS.get(method)
    if row is None:
        return label or method.rpartition(":")[2]
    name = f"{row.label} ({options.get('redundancy', 'pairwise')})" if "redundancy" in row.options else row.label
    sampling = options.get("sampling", "top") if "sampling" in row.options else "top"
    return name if sampling == "top" else f"{str(sampling).capitalize()} {name}"


def variant_names(acquisitions: Sequence[Mapping[str, Any]], labels: Sequence[str] | None = None) -> list[str]:
    """The names of the variants that are shown together, with the options that tell apart those of the same name.

    Args:
      acquisitions: The field ``acquisition`` of each one's configuration.
      labels: The label of each one's method, empty where it is not known; None for no labels.

    Returns:
      The names, in the same order.
    """
    labels = [""] * len(acquisitions) if labels is None else labels
    names = [
        variant_name(fields["method"], fields, label=label) for fields, label in zip(acquisitions, labels, strict=True)
    ]
    return tell_apart(names, [_options_to_tell_apart(fields) for fields in acquisitions])


def numeric_options(fields: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in a configuration's ``acquisition`` that its method depends on."""
    # Not isinstance: a truth value is an int, too.
    return {name: value for name, value in _options_with_effect(fields).items() if type(value) in (int, float)}


def _options_to_tell_apart(fields: Mapping[str, Any]) -> dict[str, float | str]:
    """The options in a configuration's ``acquisition`` that its method depends on and its name does not show."""
    is_known = fields["method"] in acquisition.METHODS
    # Names of built-in methods show all text options except ``pairs``, which are exact unless the name says otherwise;
    # the label of a user's method shows none.
    options = _options_with_effect(fields)
    texts = {name: value for name, value in options.items() if isinstance(value, str)}
    if is_known:
        texts = {"pairs": texts["pairs"]} if texts.get("pairs", "exact") != "exact" else {}
    return numeric_options(fields) | texts


def _options_with_effect(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the method depends on; all fields for a method that is not the project's."""
    is_known = fields["method"] in acquisition.METHODS or fields["method"].startswith("lbb_jax.")
    return acquisition.options_with_effect(fields["method"], fields) if is_known else dict(fields)


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


def without_sampling(name: str) -> str:
    """The name of a variant without the sampling that `variant_name` put before it."""
    first, _, rest = name.partition(" ")
    return rest if first.lower() in acquisition.SAMPLINGS else name

"""The runs of a sweep: experiments, and methods of acquisition with options, as a command names them."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from lbb_jax import acquisition, references
from lbb_jax.experiment.build import check
from lbb_jax.experiment.configuration import ExperimentError, default_config

DEFAULT_METHODS = (
    "random,bald,power_bald,lbb:redundancy=pairwise,lbb:redundancy=tree,power_lbb:redundancy=tree,batch_bald"
)

# The fields of ``config.acquisition`` that a variant sets.
Fields = dict[str, Any]

_TRUTH_VALUES = {"true": True, "false": False}
_KINDS = {bool: "True or False", int: "an integer", float: "a number", str: "a text"}


def parse_methods(text: str) -> dict[str, Fields]:
    """Parses a list of methods with options: methods separated by commas, each option after a colon.

    >>> parse_methods("random,power_bald:alpha=5")
    {'random': {'method': 'random'}, 'power_bald_alpha=5': {'method': 'power_bald', 'alpha': 5.0}}
    >>> list(parse_methods("lbb,lbb:redundancy=tree,power_lbb:redundancy=tree:alpha=5"))
    ['lbb', 'lbb_tree', 'power_lbb_tree_alpha=5']

    Args:
      text: Such as ``"bald,lbb:redundancy=tree,my_method:warm_bald:temperature=2"``; methods of your own are
        ``module:attribute``. Options that are not named are those of the configuration.

    Returns:
      What each variant sets in ``config.acquisition``, by a name that serves as a folder: the method, then the values
      of its options, numbers with the option's name.

    Raises:
      ExperimentError: For an unknown method, an option that the method does not have, a value out of range, the same
        variant twice, or no method at all; the message says what is allowed.
    """
    references.add_folder(Path.cwd())
    variants: dict[str, Fields] = {}
    for part in text.split(","):
        method, settings = _split(part.strip())
        try:
            fields = {"method": method, **_parse_options(method, settings)}
        except (TypeError, ValueError) as error:
            raise ExperimentError(f"--methods: {part!r}: {error}") from error
        name = _name(fields)
        if name in variants:
            raise ExperimentError(f"--methods: {part!r} is named twice; leave one out")
        variants[name] = fields
    return variants


def experiment_name(reference: str) -> str:
    """The folder of an experiment in a sweep of several.

    >>> experiment_name("configs/mnist.py:mc_dropout,b=20")
    'mnist_mc_dropout_b=20'

    Args:
      reference: A configuration file, with arguments after a colon.
    """
    file, _, argument = reference.partition(":")
    return re.sub(r"[^\w=.-]+", "_", "_".join(filter(None, (Path(file).stem, argument))))


def combine(experiments: Mapping[str, ConfigDict], variants: Mapping[str, Fields]) -> dict[str, ConfigDict]:
    """Every variant of every experiment.

    Args:
      experiments: The configurations by name.
      variants: What each variant sets, as `parse_methods` returns it.

    Returns:
      The configurations by the folder of their runs: ``EXPERIMENT/VARIANT``, ``VARIANT`` for one experiment alone.

    Raises:
      ExperimentError: If a field is missing or out of range, or if two variants are the same run, such as where one
        names an option's default.
    """
    configs: dict[str, ConfigDict] = {}
    for experiment, config in experiments.items():
        of_variants = {variant: with_variant(config, fields) for variant, fields in variants.items()}
        _check_runs(of_variants)
        within = "" if len(experiments) == 1 else f"{experiment}/"
        configs |= {f"{within}{variant}": of_variant for variant, of_variant in of_variants.items()}
    return configs


def _check_runs(configs: Mapping[str, ConfigDict]) -> None:
    """Raises ExperimentError if a field is out of range, or two variants are the same run."""
    for config in configs.values():
        check(config)
    names: dict[str, str] = {}
    for name, config in configs.items():
        other = names.setdefault(config.to_json(sort_keys=True), name)
        if other != name:
            raise ExperimentError(f"--methods: {other} and {name} are the same run; leave one out")


def with_variant(config: ConfigDict, fields: Fields) -> ConfigDict:
    """A copy of ``config`` with ``fields`` in its acquisition, and without options of its previous method alone."""
    # ConfigDict(config) would share nested fields with ``config``.
    config = copy.deepcopy(config)
    known = {*default_config().acquisition, *acquisition.find_method(fields["method"]).options}
    with config.unlocked():
        for name in set(config.acquisition) - known:
            del config.acquisition[name]
        config.acquisition.update(fields)
    return config


def _split(part: str) -> tuple[str, list[str]]:
    """A method, which may be ``module:attribute``, and its settings.

    >>> _split("my_method:warm_bald:temperature=2")
    ('my_method:warm_bald', ['temperature=2'])
    """
    method, *settings = part.split(":")
    if method not in acquisition.METHODS and settings and "=" not in settings[0]:
        method = f"{method}:{settings.pop(0)}"
    return method, settings


def _parse_options(method: str, settings: list[str]) -> Fields:
    """The options in ``["redundancy=tree", ...]``, checked."""
    # An option that is an array, such as targets, is not a field.
    fields, options_of_method = default_config().acquisition.to_dict(), acquisition.find_method(method).options
    kinds = {name: type(fields.get(name, default)) for name, default in options_of_method.items()}
    allowed = [name for name, kind in kinds.items() if kind in _KINDS]
    options = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if name not in allowed or not separator or name in options:
            takes = ", ".join(f"{option}=VALUE" for option in allowed) + ", each once" if allowed else "no options"
            raise ValueError(f"{setting!r}: method {method!r} takes {takes}")
        kind = kinds[name]
        try:
            options[name] = _TRUTH_VALUES[value.lower()] if kind is bool else kind(value)
        except (KeyError, ValueError) as error:
            raise ValueError(f"{setting!r}: {value!r} is not {_KINDS[kind]}") from error
    acquisition.check_options(method, options)
    return options


def _name(fields: Fields) -> str:
    """The variant's folder: the same however its options were ordered, words first, then switches and numbers."""
    method = acquisition.find_method(fields["method"])
    options = {name: fields[name] for name in method.options if name in fields}
    words = [value for value in options.values() if isinstance(value, str)]
    switches = [name if value else f"{name}=False" for name, value in options.items() if isinstance(value, bool)]
    # A number that is whole looks the same whatever its type.
    numbers = [f"{name}={value:.15g}" for name, value in options.items() if type(value) in (int, float)]
    return "_".join([method.name, *words, *switches, *numbers])

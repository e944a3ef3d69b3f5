"""The fields of an experiment's configuration, their defaults and their meaning."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from ml_collections import ConfigDict, config_dict

from lbb_jax import acquisition, paths, ranges, references
from lbb_jax.errors import ExperimentError
from lbb_jax.paths import PathError
from lbb_jax.ranges import Count, NotNegative, OptionalCount, Range, Switch, Text


def resolve_workdir(workdir: str | os.PathLike, *, to_write: bool = True) -> Path:
    """The folder of a run or of several, which need not be there yet.

    Args:
      workdir: As the user gave it.
      to_write: Whether it must be possible to write there.

    Raises:
      ExperimentError: If it is no local folder, or cannot be written to.
    """
    try:
        return (paths.output_folder if to_write else paths.folder)(workdir, name="--workdir")
    except PathError as error:
        raise ExperimentError(str(error)) from error


class TopLevelFields(TypedDict):
    """The fields of a configuration that are in no section, and their ranges."""

    compute_dtype: Annotated[str, ranges.choice("float32", "bfloat16")]
    initial_size: Count
    batch_size: Count
    final_size: Count
    seeds: Count
    driver: Annotated[str, ranges.choice("auto", "host", "scan")]
    rounds_at_once: Count
    seeds_at_once: OptionalCount
    save_predictions: Switch


class PosteriorFields(TypedDict):
    """The fields that the section ``posterior`` may have for any posterior."""

    num_members: Count
    members_at_once: OptionalCount
    num_draws: Count
    num_test_draws: Count


class AcquisitionFields(TypedDict):
    """The fields of the section ``acquisition``, and their ranges for any method."""

    method: Text
    alpha: NotNegative
    num_samples: Count
    num_targets: Count
    pair_weight: NotNegative
    pairs: Text
    redundancy: Text
    sampling: Text


SECTIONS = ("dataset", "network", "posterior", "training", "acquisition")


def default_config() -> ConfigDict:
    """All fields that every experiment has. Fields are independent: what follows from them is derived where used."""
    config = ConfigDict()

    config.dataset = ConfigDict()
    config.dataset.name = "digits"
    # Base examples in the pool and test examples; None for all there are.
    config.dataset.num_pool = config_dict.placeholder(int)
    config.dataset.num_test = config_dict.placeholder(int)
    # Validation examples, by which the best epoch is chosen: the last of the training split, not in the pool.
    config.dataset.num_validation = 0
    # Copies of each base example, and the noise on every copy (standard deviation after normalisation).
    config.dataset.copies = 1
    config.dataset.noise = 0.0

    # The network's name and the fields of its module.
    config.network = ConfigDict({"name": "mlp", "hidden_sizes": (128,), "dropout_rate": 0.25})
    # What its layers compute in: "float32", or "bfloat16" for speed on a GPU or TPU. All else is float32.
    config.compute_dtype = "float32"

    config.posterior = ConfigDict()
    config.posterior.name = "deep_ensemble"
    config.posterior.num_members = 5
    # Members that are trained side by side. None: one at a time on a CPU (all at once for perceptrons), all elsewhere.
    config.posterior.members_at_once = config_dict.placeholder(int)
    # Draws to acquire with (for MC dropout, masks), and masks to evaluate with.
    config.posterior.num_draws = 100
    config.posterior.num_test_draws = 5

    # The training's name and its fields.
    config.training = ConfigDict({"name": "fixed_steps", "learning_rate": 1e-3, "num_steps": 300, "batch_size": 32})

    config.acquisition = ConfigDict()
    config.acquisition.method = "bald"
    # Each option is used by the methods that have it.
    config.acquisition.alpha = 1.0
    config.acquisition.num_samples = 10_000
    config.acquisition.num_targets = 500
    config.acquisition.pair_weight = 1.0
    config.acquisition.pairs = "exact"
    config.acquisition.redundancy = "pairwise"
    config.acquisition.sampling = "top"

    # Labels to start with (balanced by class), to acquire in a round, and to end with.
    config.initial_size = 20
    config.batch_size = 10
    config.final_size = 200
    # How many runs, with the seeds 0, 1, ...
    config.seeds = 3

    # "host": stage by stage, with metrics and a checkpoint after every round. "scan": `rounds_at_once` rounds as one
    # program, with metrics and a checkpoint after these. "auto": whichever suits the hardware.
    config.driver = "auto"
    config.rounds_at_once = 10
    # Seeds that a device works on side by side; None as for members.
    config.seeds_at_once = config_dict.placeholder(int)
    # Whether the last round's predictions of the whole pool, by the models of seed 0, are left in log_probs.npy.
    config.save_predictions = False
    return config


def parse_arguments(
    argument: str | None,
    *,
    choices: Sequence[str] = (),
    flags: Collection[str] = (),
    integers: Collection[str] = (),
) -> dict[str, Any]:
    """Parses what follows the colon in ``file.py:argument``: words and settings, separated by commas.

    >>> parse_arguments("small,b=20", choices=("ensemble", "mc_dropout"), flags=("small",), integers=("b",))
    {'ensemble': True, 'mc_dropout': False, 'small': True, 'b': 20}

    Args:
      argument: Such as ``"ensemble,b=20"``; None or empty for nothing.
      choices: Words of which at most one may be given; the first holds if none is.
      flags: Words that may stand in it.
      integers: Names that may be set to an integer in it.

    Returns:
      Whether each choice holds and each flag is there, and the integers that are set.

    Raises:
      ExperimentError: For anything else, and for two choices at once.
    """
    words = (*choices, *flags)
    values: dict[str, Any] = dict.fromkeys(words, False)
    for part in filter(None, (argument or "").split(",")):
        name, separator, value = part.partition("=")
        if not separator and name in words:
            values[name] = True
        elif separator and name in integers and value.isdecimal():
            values[name] = int(value)
        else:
            allowed = [*words, *(f"{name}=INTEGER" for name in integers)]
            raise ExperimentError(f"config argument {part!r}: must be one of {', '.join(allowed)}")
    chosen = [name for name in choices if values[name]] or list(choices[:1])
    if len(chosen) > 1:
        raise ExperimentError(f"config argument {argument!r}: give only one of {', '.join(chosen)}")
    return values | dict.fromkeys(chosen, True)


def acquisition_options(config: ConfigDict) -> dict[str, Any]:
    """The options of the configured method, as checked keyword arguments of its function.

    Raises:
      ExperimentError: For an unknown method or an option out of range.
    """
    method = config.acquisition.method
    try:
        options = acquisition.options_with_effect(method, config.acquisition.to_dict())
        return acquisition.check_options(method, options)
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"config.acquisition.{error}") from error


def _find_method(method: Any) -> acquisition.Method:
    """The method that the configuration names, with the folders of its modules importable."""
    references.add_folder(Path.cwd())
    try:
        return acquisition.find_method(method)
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"config.acquisition.{error}") from error


def check_fields(config: ConfigDict) -> None:
    """Checks the names of fields by those of `default_config`, and the ranges of fields that are in no section.

    Raises:
      ExperimentError: For the first that is missing, unknown, of another kind or out of its range.
    """
    expected = ranges.of(TopLevelFields)
    check_names("config", config, {*expected, *SECTIONS})
    for section in SECTIONS:
        if not isinstance(config[section], ConfigDict):
            raise ExperimentError(f"config.{section}={config[section]!r}: must be a section, a ConfigDict of fields")
    defaults = default_config()
    names = {*defaults.acquisition, *_find_method(config.acquisition.get("method")).options}
    check_names("config.acquisition", config.acquisition, defaults.acquisition, known=names)
    for name in defaults.dataset:
        if name not in config.dataset:
            raise ExperimentError(f"config.dataset.{name}: is missing; begin with lbb_jax.experiment.default_config()")
    check_ranges(expected, {name: config[name] for name in expected}, "config")
    check_ranges(ranges.of(AcquisitionFields), config.acquisition, "config.acquisition")
    if config.initial_size > config.final_size:
        raise ExperimentError(
            f"config.initial_size={config.initial_size}: must be at most config.final_size={config.final_size}"
        )


def check_plain(value: Any, name: str = "config") -> None:
    """Checks that ``config.json`` can store every field and give it back unchanged.

    Raises:
      ExperimentError: For the first that is no number, text, True, False or None, nor a tuple or section of these.
    """
    if isinstance(value, ConfigDict):
        for field in value:
            check_plain(value[field], f"{name}.{field}")
    elif isinstance(value, tuple | list):
        for position, entry in enumerate(value):
            check_plain(entry, f"{name}[{position}]")
    elif type(value) not in (bool, int, float, str, type(None)) or value != value:
        raise ExperimentError(
            f"{name}={value!r} ({type(value).__name__}): must be an int, a float, a text, True, False or None, or a "
            "tuple of these"
        )


def check_names(section: str, found: Iterable[str], expected: Collection[str], *, known: Collection[str] = ()) -> None:
    """Checks the names of a section's fields.

    Args:
      section: Its full name.
      found: The names in it.
      expected: The names that must be in it.
      known: Further names that may be in it.

    Raises:
      ExperimentError: For one that is missing or unknown.
    """
    found = set(found)
    for name in sorted(set(expected) - found):
        raise ExperimentError(f"{section}.{name}: is missing; begin with lbb_jax.experiment.default_config()")
    there = sorted({*expected, *known})
    for name in sorted(found - set(there)):
        raise ExperimentError(f"{section}.{name}: there is no such field; there are {', '.join(there)}")


def check_ranges(allowed: Mapping[str, Range], values: Mapping[str, Any], section: str) -> None:
    """Checks the ranges of a section's fields.

    Raises:
      ExperimentError: For the first that is of another kind or out of its range.
    """
    try:
        ranges.check(allowed, values, prefix=f"{section}.")
    except (TypeError, ValueError) as error:
        raise ExperimentError(str(error)) from error

"""The fields of an experiment's configuration, their defaults and their meaning."""

from collections.abc import Collection, Sequence
from typing import Any

from ml_collections import ConfigDict, config_dict

from lbb_jax import acquisition
from lbb_jax.errors import ExperimentError


def default_config() -> ConfigDict:
    """All fields that every experiment has. Fields are independent: what follows from them is derived where used."""
    config = ConfigDict()

    config.dataset = ConfigDict()
    config.dataset.name = "digits"
    # Base examples in the pool and test examples; None for all there are.
    config.dataset.num_pool = config_dict.placeholder(int)
    config.dataset.num_test = config_dict.placeholder(int)
    # Examples kept out of the pool, to choose between epochs by: the last of the training split.
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
    # Members that are trained side by side; None for all, but on a CPU, unless they are perceptrons, for one.
    config.posterior.members_at_once = config_dict.placeholder(int)
    # Of MC dropout: masks to acquire with and to evaluate with.
    config.posterior.num_draws = 100
    config.posterior.num_test_draws = 5

    # The training's name and its fields.
    config.training = ConfigDict({"name": "fixed_steps", "learning_rate": 1e-3, "num_steps": 300, "batch_size": 32})

    config.acquisition = ConfigDict()
    config.acquisition.method = "bald"
    # Each is used by the methods that have it.
    config.acquisition.alpha = 1.0
    config.acquisition.num_samples = 10_000
    config.acquisition.num_targets = 500
    config.acquisition.pair_weight = 1.0
    config.acquisition.power = False
    config.acquisition.redundancy = "pairwise"

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
    return config


def dataset_name(config: ConfigDict) -> str:
    """The data set's name as tables show it: an ``r`` stands before that of a repeated one."""
    return config.dataset.name if config.dataset.copies == 1 else f"r{config.dataset.name}"


def parse_arguments(
    argument: str | None,
    *,
    choices: Sequence[str] = (),
    flags: Collection[str] = (),
    integers: Collection[str] = (),
) -> dict[str, Any]:
    """Parses the part of ``file.py:argument``: words and settings, separated by commas.

    >>> parse_arguments("small,b=20", choices=("ensemble", "mc_dropout"), flags=("small",), integers=("b",))
    {'ensemble': True, 'mc_dropout': False, 'small': True, 'b': 20}

    Args:
      argument: Such as ``"ensemble,b=20"``; None or empty for nothing.
      choices: Words of which one may stand in it; the first holds if none does.
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
        raise ExperimentError(f"config.acquisition: {error}") from error

"""Configuration files: loaded, and given to a script as ``--config=FILE:ARGUMENT --config.FIELD=VALUE``."""

import importlib.machinery
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from lbb_jax import paths, references
from lbb_jax.experiment.configuration import ExperimentError
from lbb_jax.paths import PathError

# So that a flag belongs to the script that defines it, and --help shows it.
flags.disclaim_key_flags()


def load_config(reference: str, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """The configuration ``FILE:ARGUMENT``, with some of its fields set.

    Args:
      reference: A Python file with a function ``get_config``; what follows a colon is its argument.
      overrides: Values by the name of the field, with dots, such as ``"acquisition.alpha"``.

    Raises:
      ExperimentError: If there is no such file, if it fails (the message has the file and the line) or returns no
        configuration, or if ``overrides`` sets a field that does not exist.
    """
    name, colon, argument = reference.partition(":")
    config = _call_get_config(_file(name, reference), [argument] if colon else [])
    # Without the lock, a field that is not there would be added.
    config.lock()
    try:
        config.update_from_flattened_dict(overrides or {})
    except (KeyError, TypeError) as error:
        raise ExperimentError(f"{reference!r}: its fields are not those that were set ({error})") from error
    config.unlock()
    return config


def define_config(default: str | None, help_string: str) -> flags.FlagHolder:
    """Defines the flag ``--config``, whose value is a configuration.

    Args:
      default: Its file, if the flag is not given.
      help_string: What ``--help`` shows.
    """
    holder = config_flags.DEFINE_config_file("config", default, help_string)
    flags.FLAGS["config"].parser = _Parser()
    return holder


def config_name() -> str:
    """The ``FILE:ARGUMENT`` that ``--config`` was given."""
    return config_flags.get_config_filename(flags.FLAGS["config"])


def overridden_fields() -> dict[str, Any]:
    """What ``--config.FIELD=VALUE`` set, by the name of the field, with dots."""
    return config_flags.get_override_values(flags.FLAGS["config"])


def refuse_overrides(fields: Iterable[str], remedy: str) -> None:
    """Raises ExperimentError if ``--config.FIELD=VALUE`` set a field or section that a script sets itself."""
    for overridden in overridden_fields():
        for field in fields:
            # Either may be a whole section.
            if f"{field}.".startswith(f"{overridden}.") or f"{overridden}.".startswith(f"{field}."):
                raise ExperimentError(f"--config.{overridden}: would have no effect here; {remedy}")


class _Parser(flags.ArgumentParser):
    """Parses the value of ``--config``."""

    def parse(self, reference: Any) -> ConfigDict:
        return load_config(reference).lock()

    def flag_type(self) -> str:
        return "configuration"


def _file(name: str, reference: str) -> Path:
    """The configuration file that a reference names."""
    try:
        path = paths.resolve(name, name="configuration file")
    except PathError as error:
        raise ExperimentError(str(error)) from error
    if path.is_dir():
        raise ExperimentError(f"{reference!r}: {name} is a folder; name a configuration file in it")
    if not path.exists():
        raise ExperimentError(f"{reference!r}: there is no configuration file {name}")
    if path.suffix != ".py":
        raise ExperimentError(
            f"{reference!r}: {name} is no Python file; name the .py file with get_config that a run was started from"
        )
    return path


def _call_get_config(path: Path, arguments: list[str]) -> ConfigDict:
    """What the function ``get_config`` of a file returns."""
    loader = importlib.machinery.SourceFileLoader(f"config_{path.stem}", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    # Components that the configuration names may be defined in modules beside it.
    references.add_folder(path.parent)
    try:
        loader.exec_module(module)
        get_config = getattr(module, "get_config", None)
        if not callable(get_config):
            raise ExperimentError(f"{path} has no function get_config, which returns the configuration")
        config = get_config(*arguments)
    except ExperimentError:
        raise
    # A user's code may raise any error.
    except Exception as error:
        place = references.users_place(error) or str(path)
        raise ExperimentError(f"{place}: {type(error).__name__}: {error}") from error
    if not isinstance(config, ConfigDict):
        raise ExperimentError(
            f"{path}: get_config returned {type(config).__name__}: must be a ConfigDict; begin with "
            "lbb_jax.experiment.default_config(), and return it at the end"
        )
    return config

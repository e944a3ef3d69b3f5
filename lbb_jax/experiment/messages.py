"""How a script starts, which messages it shows, and how it ends when something is wrong."""

import functools
import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from absl import app, flags
from absl import logging as absl_logging

from lbb_jax.datasets import MissingDatasetError
from lbb_jax.experiment.configuration import ExperimentError, default_config
from lbb_jax.extras import MissingExtraError
from lbb_jax.paths import PathError


def run_script(
    main: Callable[..., None], *, needs_arguments: str | None = None, errors: tuple[type[Exception], ...] = ()
) -> None:
    """Runs a script: parses its flags, calls ``main``, and ends with status 1 and one message for a user's error.

    Args:
      main: The script. It is given the arguments that are no flags, if it needs any.
      needs_arguments: The message if there are none; None for a script that takes no arguments.
      errors: Exceptions of ``main`` that are a user's error besides those of this project.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A character that the terminal cannot show is replaced; it must not end the script.
            stream.reconfigure(errors="replace")
    app.run(functools.partial(_run, main, needs_arguments, errors), flags_parser=_parse_flags)


def _run(
    main: Callable[..., None],
    needs_arguments: str | None,
    errors: tuple[type[Exception], ...],
    arguments: list[str],
) -> None:
    given = arguments[1:]
    if given and needs_arguments is None:
        _end_with_help(f"unexpected arguments: {' '.join(given)}")
    if needs_arguments is not None and not given:
        sys.exit(f"error: {needs_arguments}")
    try:
        main(*([given] if given else []))
    except app.UsageError as error:
        _end_with_help(str(error))
    except (ExperimentError, MissingDatasetError, MissingExtraError, PathError, *errors) as error:
        sys.exit(f"error: {error}")


def _parse_flags(arguments: list[str]) -> list[str]:
    """Parses the flags; returns the other arguments. An unknown field of the configuration is an error, too."""
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        _end_with_help(str(error))
    except AttributeError as error:
        cause = error.args[0] if error.args else error
        name = cause.args[0] if isinstance(cause, KeyError) else cause
        sys.exit(
            f"error: the configuration has no field {name}; its fields are {', '.join(default_config())}, and those of "
            "its sections, such as dataset.num_pool (docs/experiments.md lists them)"
        )


def _end_with_help(message: str) -> NoReturn:
    sys.exit(f"error: {message}\n(python {sys.argv[0]} --help lists what can be given)")


def show_own_messages() -> None:
    """Shows the messages of this project, and only errors of other libraries."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.INFO)


def show_warnings() -> None:
    """Shows this project's warnings, a sweep's reports on its runs, and only errors of other libraries."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.WARNING)
    logging.getLogger("lbb_jax.experiment.sweep").setLevel(logging.INFO)

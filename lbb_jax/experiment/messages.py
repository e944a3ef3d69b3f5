"""Which messages a script shows, and how it says that a flag names no field."""

import logging
import sys

from absl import app
from absl import logging as absl_logging


def parse_flags(arguments: list[str]) -> list[str]:
    """Parses the flags of a script with a configuration, for `absl.app.run`; returns the other arguments.

    A field that the configuration does not have ends the script with a message.
    """
    try:
        return app.parse_flags_with_usage(arguments)
    except AttributeError as error:
        cause = error.args[0]
        sys.exit(f"error: the configuration has no field {cause.args[0] if isinstance(cause, KeyError) else cause}")


def show_own_messages() -> None:
    """Shows what this project reports, and of the libraries beneath it only errors."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.INFO)


def show_warnings() -> None:
    """Shows this project's warnings, what a sweep reports of its runs, and of the libraries beneath only errors."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.WARNING)
    logging.getLogger("lbb_jax.experiment.sweep").setLevel(logging.INFO)

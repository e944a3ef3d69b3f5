"""Which messages a script shows."""

import logging

from absl import logging as absl_logging


def show_own_messages() -> None:
    """Shows what this project reports, and of the libraries beneath it only errors."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.INFO)


def show_warnings() -> None:
    """Shows this project's warnings, what a sweep reports of its runs, and of the libraries beneath only errors."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.WARNING)
    logging.getLogger("lbb_jax.experiment.sweep").setLevel(logging.INFO)

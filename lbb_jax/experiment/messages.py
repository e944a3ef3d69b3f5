"""Which messages a script shows."""

import logging

from absl import logging as absl_logging


def show_own_messages() -> None:
    """Shows what this project reports, and of the libraries beneath it only errors."""
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("lbb_jax").setLevel(logging.INFO)

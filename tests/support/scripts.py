"""Runs an entry point as ``python experiments/SCRIPT`` would, but in this process, which has imported much already."""

import contextlib
import io
import logging
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from absl import flags
from absl import logging as absl_logging

ROOT = Path(__file__).parents[2]
# The first is the root.
_LOGGERS = ("", "lbb_jax", "lbb_jax.experiment.sweep", "absl")


class Result(NamedTuple):
    """How a script ended, and what it printed. What it logged is left to pytest."""

    returncode: int
    stdout: str
    stderr: str


def run(script: str, *arguments: str) -> Result:
    """Runs ``experiments/script`` in the current folder; an exception that it does not expect is raised."""
    path = str(ROOT / "experiments" / script)
    output, errors = io.StringIO(), io.StringIO()
    with (
        _restored_flags(path),
        _restored_logging(),
        mock.patch.object(sys, "argv", [path, *arguments]),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        code = _exit_code(path)
    return Result(code, output.getvalue(), errors.getvalue())


def _exit_code(path: str) -> int:
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    return 0


@contextlib.contextmanager
def _restored_flags(path: str) -> Iterator[None]:
    """Removes the flags that the script defines; those of a library stay: each defines them once, when imported."""
    try:
        yield
    finally:
        for name in list(flags.FLAGS):
            if name.startswith("config.") or flags.FLAGS.find_module_defining_flag(name) == path:
                delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()


@contextlib.contextmanager
def _restored_logging() -> Iterator[None]:
    """Takes back what `absl.app` and a script change in how messages are shown."""
    handlers, levels = list(logging.root.handlers), {name: logging.getLogger(name).level for name in _LOGGERS}
    verbosity = absl_logging.get_verbosity()
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers
        absl_logging.set_verbosity(verbosity)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

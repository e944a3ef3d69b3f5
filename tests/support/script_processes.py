"""Scripts run in processes of their own that start quickly: each is forked from one that has made the imports.

That one is `multiprocessing`'s fork server: it has run nothing but imports, so that JAX starts afresh in every child.
"""

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax

ROOT = Path(__file__).parents[2]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["lbb_jax.experiment", "paper.benchmarks.acquisition_cases", "absl.app"])


class Script:
    """A running script, with the methods of `subprocess.Popen` that the tests use.

    ``prepare`` is called in its process before the script runs.
    """

    def __init__(
        self,
        path: Path | str,
        *arguments: str,
        num_devices: int | None = None,
        prepare: Callable[[], None] | None = None,
    ):
        self._folder = tempfile.TemporaryDirectory()
        self._process = _CONTEXT.Process(
            target=_run, args=(str(path), arguments, num_devices, prepare, self._path("output"), self._path("errors"))
        )
        self._process.start()

    def _path(self, name: str) -> str:
        return str(Path(self._folder.name, name))

    @property
    def returncode(self) -> int | None:
        """The exit status, the negative number of the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Waits for the end and returns what was written to the standard output and to the standard error."""
        self._process.join(timeout)
        if self.returncode is None:
            self.kill()
            raise TimeoutError(f"still running after {timeout} s: {self._read('errors')}")
        with self._folder:
            return self._read("output"), self._read("errors")

    def _read(self, name: str) -> str:
        path = Path(self._path(name))
        return path.read_text() if path.exists() else ""


def _run(
    path: str,
    arguments: tuple[str, ...],
    num_devices: int | None,
    prepare: Callable[[], None] | None,
    output: str,
    errors: str,
) -> None:
    """Runs a script in this process, which is its own, as ``python path arguments`` would in the project's folder."""
    for stream, file in ((sys.stdout, output), (sys.stderr, errors)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.chdir(ROOT)
    # What is run here is small: to optimise it would take longer.
    jax.config.update("jax_disable_most_optimizations", True)
    if num_devices is not None:
        jax.config.update("jax_num_cpu_devices", num_devices)
        jax.config.update("jax_platforms", "cpu")
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).parent))
    if prepare is not None:
        prepare()
    runpy.run_path(path, run_name="__main__")

"""Parts of the package that need an extra say so when it is not installed."""

import contextlib
from collections.abc import Iterator


class MissingExtraError(ModuleNotFoundError):
    """A module that belongs to an extra is not installed; the message names the extra."""


@contextlib.contextmanager
def needs(extra: str) -> Iterator[None]:
    """A context for imports: an import that fails raises an error that names the extra to install.

    Args:
      extra: Name of the extra in ``pyproject.toml``, such as ``"experiments"``.

    Raises:
      MissingExtraError: If a module outside of this package is not installed.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "lbb_jax":
            raise
        raise MissingExtraError(
            f"{error.name} is not installed: pip install 'lbb_jax[{extra}]'", name=error.name, path=error.path
        ) from error

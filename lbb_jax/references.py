"""``"module:attribute"``: how a configuration or an argument names an object of the user's."""

import functools
import importlib
import os
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any, TypeGuard

from lbb_jax.errors import ExperimentError
from lbb_jax.extras import MissingExtraError

# What is not the user's own code: the standard library, installed packages and this one.
_OTHERS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_FOLDERS = (sysconfig.get_path("stdlib") + os.sep, str(Path(__file__).parent) + os.sep, "<")


def is_reference(name: Any) -> TypeGuard[str]:
    """Whether ``name`` has the form ``"module:attribute"`` of an object of the user's."""
    return isinstance(name, str) and ":" in name


def add_folder(folder: str | os.PathLike) -> None:
    """Makes the modules of a folder importable, after all others."""
    folder = str(Path(folder).resolve())
    if folder not in sys.path:
        sys.path.append(folder)


def load(reference: str, field: str) -> Any:
    """What ``"module:attribute"`` names.

    Args:
      reference: As the user gave it.
      field: Where, as messages show it: ``config.network.name='my_models:Net'``.

    Raises:
      ExperimentError: If there is no such module or attribute, or the module fails; the message shows where.
    """
    module_name, _, attribute = reference.partition(":")
    remedy = f"{field}: must be 'module:attribute' of a module that Python can import; "
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if f"{module_name}.".startswith(f"{error.name}."):
            raise ExperimentError(f"{remedy}there is no module {error.name!r} in {_show_path()}") from error
        is_told = isinstance(error, MissingExtraError)
        told = str(error) if is_told else f"{error.name} is not installed: pip install {error.name}"
        raise ExperimentError(f"{field}: {told}") from error
    # A user's code may raise any error.
    except Exception as error:
        place = users_place(error) or module_name
        raise ExperimentError(f"{field}: {place}: {type(error).__name__}: {error}") from error
    found = functools.reduce(lambda thing, name: getattr(thing, name, None), attribute.split("."), module)
    if found is None:
        there = ", ".join(
            name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
        )
        file = getattr(module, "__file__", module_name)
        raise ExperimentError(f"{remedy}{file} has no function or class {attribute!r}; it has {there or 'none'}")
    return found


def users_place(error: BaseException) -> str | None:
    """The innermost file and line of the user's own code that an error passed through; None if there are none."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_users(frame.filename)]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else None


def _is_users(path: str) -> bool:
    return not path.startswith(_FOLDERS) and not any(part in path + os.sep for part in _OTHERS)


def _show_path() -> str:
    return ", ".join(path for path in sys.path if path and _is_users(path) and os.path.isdir(path))

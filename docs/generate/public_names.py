"""Finds the public names of the package, which the API pages list and the tests check."""

import functools
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import lbb_jax


class PublicModule(NamedTuple):
    """A module and its public names."""

    name: str
    summary: str
    members: tuple[str, ...]


@functools.cache
def public_modules() -> tuple[PublicModule, ...]:
    """The modules right below `lbb_jax` that have public names, by name.

    A package's public names are its ``__all__``; a module's are those without an underscore that it defines.
    """
    names = [f"lbb_jax.{module.name}" for module in pkgutil.iter_modules(lbb_jax.__path__)]
    modules = [_public_module(importlib.import_module(name)) for name in sorted(names) if "._" not in name]
    return tuple(module for module in modules if module.members)


def modules_with_examples() -> list[ModuleType]:
    """The modules, at every depth, that hold an example for doctest."""
    root = Path(lbb_jax.__file__).parent
    # Adapters need the libraries that they adapt to.
    files = [path for path in sorted(root.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
    files = [path for path in files if path.parent.name != "adapters"]
    return [importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts)) for path in files]


def _public_module(module: ModuleType) -> PublicModule:
    summary = (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")
    if hasattr(module, "__all__"):
        members = tuple(module.__all__)
    elif hasattr(module, "__path__"):
        members = ()
    else:
        members = tuple(name for name, value in vars(module).items() if _is_defined_in(module, name, value))
    return PublicModule(module.__name__, summary, members)


def _is_defined_in(module: ModuleType, name: str, value: object) -> bool:
    is_code = inspect.isclass(value) or inspect.isfunction(value)
    return not name.startswith("_") and is_code and value.__module__ == module.__name__

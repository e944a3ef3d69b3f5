"""Writes a page for each public module, with all its public names, for Sphinx's autodoc to fill."""

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path

from generate.public_names import PublicModule, public_modules

_INDEX = """# API

These pages list every public name, from the docstrings in the code. Letters in shapes: `N` pool points, `K` draws of
the model parameters, `C` classes, `b` points in a batch, `M` label configurations. Information is in nats.

| module | what it holds |
|---|---|
{rows}

```{{toctree}}
:hidden:

{pages}
```
"""


def write(folder: Path) -> None:
    """Writes ``index.md`` and one page for each public module into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    modules = public_modules()
    rows = "\n".join(
        f"| [`{module.name}`]({module.name}.rst) | {_first_sentence(module.summary)} |" for module in modules
    )
    pages = "\n".join(module.name for module in modules)
    (folder / "index.md").write_text(_INDEX.format(rows=rows, pages=pages), encoding="utf-8")
    for module in modules:
        (folder / f"{module.name}.rst").write_text(page_of(module), encoding="utf-8")


def page_of(module: PublicModule) -> str:
    """The reStructuredText of a module's page: the module's docstring, and an entry for each of its names."""
    title = module.name.removeprefix("lbb_jax.").replace("_", " ").capitalize()
    lines = [title, "=" * len(title), "", f".. automodule:: {module.name}", "   :no-members:", ""]
    lines += [f".. currentmodule:: {module.name}", ""]
    for name in module.members:
        lines += [*_entry(module.name, name), ""]
    return "\n".join(lines)


def _entry(module: str, name: str) -> list[str]:
    value = getattr(importlib.import_module(module), name)
    if inspect.ismodule(value):
        return [f":mod:`{value.__name__}`"]
    home = getattr(value, "__module__", module)
    if home != module and home in {other.name for other in public_modules()}:
        return [f"``{name}`` is `{home}.{name}`."]
    if inspect.isclass(value):
        return [f".. autoclass:: {name}", "   :members:"]
    if inspect.isroutine(value):
        return [f".. autofunction:: {name}"]
    return [f".. data:: {name}", "", f"   {_constant(value)}"]


def _constant(value: object) -> str:
    if isinstance(value, Mapping):
        return f"A table, with the keys {', '.join(f'``{key}``' for key in value)}."
    return f"``{value!r}``"


def _first_sentence(text: str) -> str:
    # A table's cell takes Markdown; the docstrings mark code as reStructuredText does.
    return text.split(". ")[0].rstrip(".").replace("``", "`")

"""Writes the table of acquisition methods from their registry."""

import inspect
from pathlib import Path

from lbb_jax import acquisition


def write(path: Path) -> None:
    """Writes the table to ``path`` (Markdown, without a heading): names, what is picked, options and defaults."""
    lines = ["| `method` | function | what it does | options (default) |", "|---|---|---|---|"]
    for name, method in acquisition.METHODS.items():
        function = method.function
        summary = inspect.getdoc(function).split("\n\n")[0].replace("\n", " ").replace("|", r"\|")
        link = f"{{py:obj}}`{function.__name__} <lbb_jax.acquisition.{function.__name__}>`"
        lines.append(f"| `{name}` | {link} | {summary.replace('``', '`')} | {', '.join(options_of(method))} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def options_of(method: acquisition.Method) -> list[str]:
    """The options of a method as a reader writes them, with the default of each that has one."""
    empty = inspect.Parameter.empty
    return [f"`{name}`" + ("" if value is empty else f" ({value!r})") for name, value in method.options.items()]

"""Finds which part of the package imports which other part, from the source."""

import ast
import graphlib
from pathlib import Path

import lbb_jax

ROOT = Path(lbb_jax.__file__).parent


def parts() -> list[str]:
    """The modules and packages right below `lbb_jax`."""
    folders = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    modules = [path.stem for path in ROOT.glob("*.py") if not path.stem.startswith("__")]
    return sorted([*folders, *modules])


def imports_of_parts() -> dict[str, set[str]]:
    """For each part: the other parts that its files import, at the top of a file or anywhere in it."""
    names = parts()
    found = {name: set() for name in names}
    for name in names:
        files = [ROOT / f"{name}.py"] if (ROOT / f"{name}.py").exists() else (ROOT / name).rglob("*.py")
        for file in files:
            found[name] |= _imported(ast.parse(file.read_text(encoding="utf-8"))) & (set(names) - {name})
    return found


def without_circles(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph with parts that import each other, directly or not, merged into one; its name has a line for each."""
    reached = {name: _reached(graph, name) for name in graph}
    whole = {
        name: "\n".join(sorted({name} | {other for other in reached[name] if name in reached[other]})) for name in graph
    }
    merged: dict[str, set[str]] = {}
    for name, used in graph.items():
        merged.setdefault(whole[name], set()).update(whole[other] for other in used)
    return {name: used - {name} for name, used in merged.items()}


def without_shortcuts(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph without the edges that a longer path makes superfluous (its transitive reduction)."""
    return {name: near - set().union(*(_reached(graph, other) for other in near)) for name, near in graph.items()}


def heights(graph: dict[str, set[str]]) -> dict[str, int]:
    """For each part: 0 if it imports no other, otherwise 1 plus the largest height of the parts that it imports."""
    height: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(graph).static_order():
        height[name] = max((height[other] + 1 for other in graph[name]), default=0)
    return height


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    reached, waiting = set(), [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    return reached


def _imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("lbb_jax.")}

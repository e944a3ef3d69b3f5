"""Which part may import which, and that the pure parts touch no file and no library of the host's."""

import ast
import pathlib
import sys

import pytest

import lbb_jax

ROOT = pathlib.Path(lbb_jax.__file__).parent

# Modules and folders may import what stands on a line above theirs, and on their own line.
ORDER = (
    ("errors", "extras", "paths", "csv_tables", "json_lines", "files", "ranges", "references", "arguments"),
    ("batching", "label_configurations", "relative_entropy", "chi_squared"),
    ("entropy", "information", "interaction"),
    ("acquisition",),
    ("examples", "labelled_set", "metrics"),
    ("networks", "training", "posteriors"),
    ("loop", "seeds"),
    ("sharding",),
    ("components",),
    ("text", "datasets"),
    ("labelling", "adapters"),
    ("checkpoints", "run_folder", "analysis", "figures", "experiment"),
    ("report",),
)
LINES = {name: number for number, line in enumerate(ORDER) for name in line}
# Lines whose modules are pure, and the modules there that are the host's side of acquisition.
PURE = ("arguments", *(name for line in ORDER[1 : LINES["sharding"] + 1] for name in line))
HOST_SIDE = ("blocks", "checks", "contest", "exchange", "front_door", "kept_points", "registry", "stored")
HOST_SIDE += ("stream_passes", "streaming")
# What pure modules may import from elsewhere. Whatever else they need is passed to them.
LIBRARIES = {"flax", "jax", "jaxtyping", "numpy", "optax"}
STANDARD_LIBRARY = {"collections", "contextlib", "dataclasses", "enum", "functools", "itertools", "math", "numbers"}
STANDARD_LIBRARY |= {"reprlib", "typing"}
TOUCHES_FILES = {"open", "fromfile", "genfromtxt", "load", "loadtxt", "memmap", "save", "savetxt", "savez"}


def modules(names):
    """The files of modules and folders, as parts of their path in the package."""
    files = (path for name in names for path in (*ROOT.glob(f"{name}.py"), *ROOT.glob(f"{name}/**/*.py")))
    return ["/".join(path.relative_to(ROOT).parts) for path in files]


def imports(source):
    """Every module that the import statements name, wherever they stand, as the parts of its name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import: name the package"
            # `from package import module` imports the module.
            yield from ([*node.module.split("."), alias.name] for alias in node.names)


def wrong_directions(own, source):
    """What a module of the part ``own`` imports from the project and may not."""
    parts = {parts[1] for parts in imports(source) if parts[0] == "lbb_jax"}
    assert parts <= LINES.keys(), f"{sorted(parts - LINES.keys())}: has no place in ORDER"
    return {part for part in parts if LINES[part] > LINES[own]}


def impurities(source):
    """What a pure module imports, or calls, and may not."""
    roots = {parts[0] for parts in imports(source)} - {"lbb_jax"}
    host_side = {parts[2] for parts in imports(source) if parts[:2] == ["lbb_jax", "acquisition"]} & set(HOST_SIDE)
    calls = {getattr(node.func, "attr", getattr(node.func, "id", "")) for node in calls_of(source)}
    return roots - LIBRARIES - STANDARD_LIBRARY | host_side | calls & TOUCHES_FILES


def calls_of(source):
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def test_every_part_has_a_place_and_imports_only_what_stands_above_it():
    found = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__", "__main__"} <= LINES.keys()
    wrong = {
        module: names
        for part in LINES
        for module in modules([part])
        if (names := wrong_directions(part, (ROOT / module).read_text(encoding="utf-8")))
    }
    assert wrong == {}


def test_pure_modules_import_what_is_pure_and_touch_no_file():
    pure = [
        module
        for module in modules(PURE)
        if module not in {f"acquisition/{name}.py" for name in (*HOST_SIDE, "__init__")}
    ]
    assert {"loop.py", "acquisition/lazy_greedy.py", "networks/network.py"} <= set(pure)
    impure = {module: impurities((ROOT / module).read_text(encoding="utf-8")) for module in pure}
    # Acquisition's checks of values are theirs, too.
    assert {module: names for module, names in impure.items() if names} == {
        "metrics.py": {"checks"},
        "sharding.py": {"checks"},
    }


def test_of_libraries_the_numerics_need_jax_and_numpy_alone():
    names = {
        parts[0]
        for module in modules(name for name in PURE if LINES[name] <= LINES["acquisition"])
        for parts in imports((ROOT / module).read_text(encoding="utf-8"))
    }
    assert names - set(sys.stdlib_module_names) - {"jaxtyping"} == {"jax", "numpy", "lbb_jax"}


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from pathlib import Path",
        "def later():\n    import matplotlib.pyplot as plt",
        "open('file')",
        "np.load(path)",
        "from lbb_jax.acquisition import checks",
        "from lbb_jax.acquisition.registry import METHODS",
    ],
)
def test_what_is_impure_is_found(source):
    assert impurities(source)


def test_wrong_directions_are_found():
    assert wrong_directions("loop", "from lbb_jax.experiment import run\nfrom lbb_jax import entropy") == {"experiment"}
    assert wrong_directions("entropy", "import lbb_jax.acquisition.lazy_greedy") == {"acquisition"}

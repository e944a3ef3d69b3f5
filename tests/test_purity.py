"""The pure parts import nothing that touches files, data sets, flags or figures."""

import ast
import pathlib

import pytest

import lbb_jax

FORBIDDEN = {
    "absl",
    "huggingface_hub",
    "jinja2",
    "markupsafe",
    "matplotlib",
    "ml_collections",
    "orbax",
    "pandas",
    "platformdirs",
    "safetensors",
    "tensorflow",
    "tensorflow_datasets",
    "tokenizers",
    "tqdm",
}
NUMERICS = (
    *("acquisition", "arguments", "chi_squared", "chunks", "configurations", "entropy", "information"),
    "relative_entropy",
)
PURE = (
    *NUMERICS,
    "examples",
    "labelled_set",
    "loop",
    "networks",
    "posteriors",
    "seeds",
    "sharding",
    "training",
)
ROOT = pathlib.Path(lbb_jax.__file__).parent.parent


def source_of(module: str, root: pathlib.Path) -> pathlib.Path | None:
    """The file of a module or package of this project; None for what is neither."""
    path = root.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def imports_of(module: str, root: pathlib.Path) -> set[str]:
    """Every module that a module's import statements name, wherever in the file they stand, and their packages."""
    source = source_of(module, root)
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names.add(base)
            # `from package import module` imports the module.
            names.update(f"{base}.{alias.name}" for alias in node.names)
    # Importing a.b.c runs a and a.b.
    return {".".join(name.split(".")[: end + 1]) for name in names for end in range(name.count(".") + 1)}


def reached_from(modules: list[str], root: pathlib.Path) -> set[str]:
    """What the modules import, directly or through other modules of this project."""
    project = modules[0].split(".")[0]
    reached, waiting = set(), [project, *modules]
    while waiting:
        module = waiting.pop()
        for name in {module} | imports_of(module, root):
            is_new = name not in reached
            reached.add(name)
            if is_new and name != module and name.split(".")[0] == project and source_of(name, root):
                waiting.append(name)
    return reached


def pure_modules() -> list[str]:
    """The pure modules that exist, and the modules within those that are packages."""
    modules = []
    for name in PURE:
        source = source_of(f"lbb_jax.{name}", ROOT)
        if source is not None:
            modules.append(f"lbb_jax.{name}")
            if source.name == "__init__.py":
                modules += [f"lbb_jax.{name}.{path.stem}" for path in source.parent.glob("*.py") if path != source]
    return sorted(modules)


@pytest.mark.parametrize("module", pure_modules())
def test_pure_modules_reach_nothing_that_touches_files(module):
    reached = reached_from([module], ROOT)
    assert {name.split(".")[0] for name in reached} & FORBIDDEN == set()


def test_numerics_reach_nothing_else_of_the_project():
    modules = [module for module in pure_modules() if module.split(".")[1] in NUMERICS]
    reached = {name for name in reached_from(modules, ROOT) if source_of(name, ROOT) and name.startswith("lbb_jax")}
    # Streams may be files.
    assert {name.split(".")[1] for name in reached if "." in name} == {*NUMERICS, "paths"}


def test_the_walk_sees_what_the_numerics_import():
    reached = reached_from(["lbb_jax.acquisition"], ROOT)
    assert {"jax", "jax.numpy", "lbb_jax.entropy", "lbb_jax.acquisition.checks"} <= reached


@pytest.mark.parametrize(
    "statement",
    [
        "import absl",
        "from absl import logging",
        "from demo.inner import helper",
        "from .inner import helper",
        "from . import inner",
        "from demo import inner",
        "def later():\n    import matplotlib.pyplot as plt",
    ],
)
def test_the_walk_finds_forbidden_imports(statement, tmp_path):
    package = tmp_path / "demo"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("import tqdm")
    (package / "outer.py").write_text(statement)
    reached = reached_from(["demo.outer"], tmp_path)
    assert {name.split(".")[0] for name in reached} & FORBIDDEN


def test_the_walk_enters_packages_on_the_way(tmp_path):
    package = tmp_path / "demo" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "demo" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from pandas import DataFrame")
    (package / "helper.py").write_text("")
    (tmp_path / "demo" / "outer.py").write_text("import demo.inner.helper")
    assert "pandas" in reached_from(["demo.outer"], tmp_path)

"""What the package brings along: light imports, errors that name an extra, and a wheel that works by itself."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lbb_jax.extras import MissingExtraError, needs

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_importing_the_package_brings_in_little_beside_jax():
    script = "import sys, jax, jaxtyping; before = set(sys.modules); import lbb_jax, lbb_jax.acquisition; "
    script += "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    command = [sys.executable, "-c", script]
    brought = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    heavy = "absl chex flax matplotlib ml_collections optax orbax pandas platformdirs scipy sklearn tensorflow_datasets"
    assert "lbb_jax" in brought
    assert brought & set(heavy.split()) == set()


@pytest.mark.slow
def test_a_part_whose_extra_is_missing_names_the_extra():
    cases = {
        "figures": ("matplotlib", "experiments"),
        "analysis": ("pandas", "experiments"),
        "datasets": ("tensorflow_datasets", "experiments"),
        "experiment": ("ml_collections", "experiments"),
        "text": ("tokenizers", "text"),
    }
    script = """
import importlib, sys
for part, module in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.modules[module] = None
    try:
        importlib.import_module(f"lbb_jax.{part}")
    except ImportError as error:
        print(error)
    del sys.modules[module]
"""
    arguments = [name for part, (module, _) in cases.items() for name in (part, module)]
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    for line, (module, extra) in zip(result.stdout.splitlines(), cases.values(), strict=True):
        assert line.startswith(module)
        assert line.endswith(f" is not installed: pip install 'lbb_jax[{extra}]'")
        assert extra in PROJECT["optional-dependencies"]


def test_the_innermost_extra_is_named():
    message = r"no_such_module .* 'lbb_jax\[text\]'"
    with pytest.raises(MissingExtraError, match=message), needs("experiments"), needs("text"):
        import no_such_module  # noqa: F401


def test_a_missing_module_of_the_package_itself_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError) as raised, needs("experiments"):
        import lbb_jax.no_such_module  # noqa: F401
    assert not isinstance(raised.value, MissingExtraError)

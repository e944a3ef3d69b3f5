"""What the package brings along: light imports, errors that name an extra, and a wheel that works by itself."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
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
        "datasets": ("tqdm", "experiments"),
        "experiment": ("ml_collections", "experiments"),
        "labelling": ("filelock", "labelling"),
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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the project as it stands, built from a copy: what was built before leaves no files in it."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "results", "runs", "build", "*.egg-info", "__pycache__")
    source = shutil.copytree(ROOT, folder / "source", ignore=ignored)
    run_pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", folder, source)
    (path,) = folder.glob("*.whl")
    return path


def run_pip(python, *arguments):
    subprocess.run([python, "-m", "pip", "--quiet", *map(str, arguments)], check=True, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_the_wheel_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    info = f"lbb_jax-{PROJECT['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"lbb_jax", info}
    assert {"lbb_jax/__init__.py", "lbb_jax/py.typed", f"{info}/licenses/LICENSE"} <= set(names)
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "lbb_jax").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources


USE = """
import jax, numpy as np
from lbb_jax import acquisition, loop, networks, posteriors, training

logits = np.random.default_rng(0).normal(size=(30, 4, 3)).astype(np.float32)
log_probs = jax.nn.log_softmax(logits)
for method in ("power_lbb", "batch_bald"):
    picked = acquisition.acquire(jax.random.key(0), log_probs, method=method, batch_size=5)
    print(len(set(picked.indices.tolist())))
try:
    from lbb_jax import experiment
except ImportError as error:
    print(error)
"""


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_of_its_own(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    run_pip(python, "install", "--no-compile", wheel)
    result = subprocess.run([python, "-I", "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second, message = result.stdout.splitlines()
    assert (first, second) == ("5", "5")
    assert message.endswith("is not installed: pip install 'lbb_jax[experiments]'")

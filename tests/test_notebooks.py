"""What is stored of the notebooks. `make notebooks` executes them."""

import json
import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
PROJECT = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def cells_of(name, kind):
    notebook = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_there_are_notebooks():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_first_cell_installs_in_colab_and_nowhere_else(name):
    lines = [line.strip() for line in cells_of(name, "code")[0]["source"]]
    condition = lines.index('if "google.colab" in sys.modules:')
    assert [number for number, line in enumerate(lines) if line.startswith("%pip install")] > [condition]
    assert not any(line.startswith(("%", "!")) for line in lines[:condition])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_installed_is_a_constant_with_the_version_of_the_project(name):
    lines = [line.strip() for line in cells_of(name, "code")[0]["source"]]
    assert f'LBB_JAX = "lbb_jax[experiments]=={PROJECT["version"]}"' in lines
    assert [line for line in lines if line.startswith("%pip install")] == ["%pip install --quiet '{LBB_JAX}'"]


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_was_executed_once_in_order_without_a_fault(name):
    cells = cells_of(name, "code")
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    assert "stderr" not in {output.get("name") for output in outputs}
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_says_what_it_is_about_and_how_long_it_takes(name):
    first = "".join(cells_of(name, "markdown")[0]["source"])
    assert first.startswith("# ")
    assert "Takes a minute" in first

"""What the Makefile and .ci/run rest on: the Python that they choose, and the oldest dependencies."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def find_python(folder, *minors):
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run([ROOT / ".ci" / "find_python", *minors], capture_output=True, text=True, env=environment)


def add_program(folder, name, line):
    (folder / name).write_text(f"#!/bin/sh\n{line}\n")
    (folder / name).chmod(0o755)


def test_the_first_python_that_runs_is_found(tmp_path):
    for name, line in (("97", "exit 127"), ("98", "echo /somewhere"), ("99", "echo 'no such version' >&2; exit 1")):
        add_program(tmp_path, f"python3.{name}", line)
    found = find_python(tmp_path, "99", "98", "97")
    assert (found.returncode, found.stdout, found.stderr) == (0, "/somewhere\n", "")
    none = find_python(tmp_path, "99", "97", "96")
    assert (none.returncode, none.stdout, none.stderr) == (1, "", "")


def test_pyenv_is_asked_for_the_version(tmp_path):
    add_program(tmp_path, "python3.99", "echo $PYENV_VERSION")
    assert find_python(tmp_path, "99").stdout == "3.99\n"


def test_every_dependency_has_a_lowest_version():
    requirements = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
    names = {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}
    output = subprocess.run([sys.executable, ROOT / ".ci" / "lower_bounds"], capture_output=True, text=True, check=True)
    bounds = dict(line.split("==") for line in output.stdout.splitlines())
    # The linter and the type checker have one version, and the project is no dependency of itself.
    assert bounds.keys() == names - {"pyrefly", "ruff", "lbb_jax"}
    assert bounds["jax"] == bounds["jaxlib"]


def test_the_makefile_looks_for_the_versions_that_are_supported():
    supported = [name.rpartition("3.")[2] for name in PROJECT["classifiers"] if name.startswith("Programming Language")]
    assert PROJECT["requires-python"] == f">=3.{supported[0]}"
    assert f"find_python {' '.join(reversed(supported))} " in (ROOT / "Makefile").read_text()


def test_continuous_integration_runs_what_a_change_must_pass():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    commands = " ".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    targets = re.findall(r"^ *make ([\w-]+)$", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"make ([\w-]+)", commands)) == set(targets)
    supported = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if name.startswith("Programming Language")]
    assert jobs["newest"]["strategy"]["matrix"]["python"] == supported


def test_every_place_names_the_same_linter():
    (hooks,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert f"ruff=={hooks['rev'].removeprefix('v')}" in PROJECT["optional-dependencies"]["dev"]

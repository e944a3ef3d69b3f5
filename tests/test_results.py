"""What results/README.md shows: its commands make the runs that are stored beside it."""

import json
import re
import shlex
from pathlib import Path
from unittest import mock

import pytest
import scripts
from markdown import commands, expand

from lbb_jax import experiment
from lbb_jax.figures import SUFFIXES
from lbb_jax.loop import num_rounds
from lbb_jax.run_folder import RunFolder

RESULTS = scripts.ROOT / "results"
PAGE = (RESULTS / "README.md").read_text(encoding="utf-8")
COMMANDS = [words for block in commands(PAGE) for words in block]


def of_script(name):
    return [words[2:] for words in COMMANDS if words[:2] == ["python", f"experiments/{name}"]]


def planned(script, arguments):
    """The configurations that a script would run, by their folders."""
    configs = {}

    def run(config, workdir):
        configs[Path(workdir)] = config

    def run_sweep(of_runs, workdir, **_):
        configs.update({Path(workdir) / name: config for name, config in of_runs.items()})
        return {}

    with mock.patch.object(experiment, "run", run), mock.patch.object(experiment, "run_sweep", run_sweep):
        result = scripts.run(script, *arguments)
    assert result.returncode == 0, result.stderr
    return configs


@pytest.mark.parametrize(
    ("script", "arguments"),
    [(script, arguments) for script in ("run.py", "sweep.py") for arguments in of_script(script)],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_the_commands_make_the_configurations_of_the_results(script, arguments, monkeypatch):
    monkeypatch.chdir(scripts.ROOT)
    configs = planned(script, arguments)
    assert configs
    for folder, config in configs.items():
        stored = RunFolder(RESULTS / folder.relative_to("runs"))
        assert stored.describe().config == json.loads(config.to_json()), stored.path


@pytest.mark.parametrize("arguments", of_script("approximation.py"), ids=shlex.join)
def test_the_commands_measured_what_is_stored(arguments):
    (workdir,) = (word.removeprefix("--workdir=runs/") for word in arguments if word.startswith("--workdir="))
    assert (RESULTS / workdir / "measurements.jsonl").is_file()


def test_every_run_that_is_stored_has_its_command(monkeypatch):
    monkeypatch.chdir(scripts.ROOT)
    folders = {
        folder.relative_to("runs")
        for script in ("run.py", "sweep.py")
        for arguments in of_script(script)
        for folder in planned(script, arguments)
    }
    stored = {path.parent.relative_to(RESULTS) for path in RESULTS.rglob("config.json")}
    # What `make demo` runs.
    assert {folder for folder in stored if folder.parts[0] != "digits_demo"} == folders


@pytest.mark.slow
@pytest.mark.parametrize("arguments", of_script("figures.py"), ids=shlex.join)
def test_figures_are_drawn_from_what_is_stored(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(scripts.ROOT)
    # The later of two flags prevails.
    result = scripts.run("figures.py", *expand(arguments), f"--output={tmp_path / 'figure.png'}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "figure.png").is_file()


@pytest.mark.parametrize(
    "pattern", sorted({word for words in COMMANDS for word in words if word.startswith("results/")})
)
def test_folders_of_runs_that_are_named_hold_runs(pattern):
    folders = list(scripts.ROOT.glob(pattern))
    assert folders
    assert all((folder / "config.json").is_file() for folder in folders if folder.is_dir())


def test_the_only_picture_is_the_one_that_the_readme_shows():
    pictures = {path.relative_to(scripts.ROOT).as_posix() for path in RESULTS.rglob("*") if path.suffix in SUFFIXES}
    readme = (scripts.ROOT / "README.md").read_text(encoding="utf-8")
    assert pictures == set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", readme))


@pytest.mark.slow
def test_every_run_that_is_stored_can_be_read():
    folders = [RunFolder(path.parent) for path in RESULTS.rglob("config.json")]
    assert len(folders) > 100
    for folder in folders:
        config, records = folder.describe().config, folder.read_records()
        whole_rounds = num_rounds(*(config[size] for size in ("initial_size", "batch_size", "final_size")))
        assert len(records) == config["seeds"] * whole_rounds, folder

"""One component of each kind from outside of the package, run from configuration to figures.

The files in `tests/support/extensions` are what the documentation shows.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lbb_jax import experiment, references
from lbb_jax.experiment import build
from lbb_jax.run_folder import RunFolder

ROOT = Path(__file__).parent.parent
EXTENSIONS = ROOT / "tests" / "support" / "extensions"

pytestmark = pytest.mark.usefixtures("training_settings")


def config(argument="linen"):
    return experiment.load_config(f"{EXTENSIONS / 'my_config.py'}:{argument}")


def test_a_component_takes_at_most_60_lines():
    for path in EXTENSIONS.glob("my_*.py"):
        assert len(path.read_text().splitlines()) <= 60, path


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "network.name",
            "nosuch_module:Net",
            r"config\.network\.name='nosuch_module:Net': .*no module 'nosuch_module'",
        ),
        (
            "network.name",
            "my_nnx_network:Nosuch",
            r"my_nnx_network\.py has no function or class 'Nosuch'; it has Plain",
        ),
        ("network.width", 2.5, r"config\.network\.width=2\.5: must be an integer"),
        ("network.depth", 3, r"config\.network\.depth=3: there is no such field; .* takes dropout_rate, width"),
        ("training.learning_rate", 0.0, r"config\.training\.learning_rate=0\.0: must be above 0"),
        ("posterior.num_snapshots", "3", r"config\.posterior\.num_snapshots='3': must be an integer"),
        ("acquisition.temprature", 1.0, r"config\.acquisition\.temprature: there is no such field; .*temperature"),
        ("dataset.name", "my_dataset:circles", r"my_dataset\.py has no function or class 'circles'; it has corners"),
    ],
)
def test_what_is_wrong_with_a_component_of_ones_own_is_said_before_anything_is_loaded(field, value, message):
    chosen = config()
    section, _, name = field.partition(".")
    with chosen.ignore_type():
        chosen[section][name] = value
    with pytest.raises(experiment.ExperimentError, match=message):
        build.check(chosen)


def test_what_a_network_lacks_is_said_before_training():
    chosen = config("nnx")
    chosen.acquisition.method = "badge"
    del chosen.acquisition.temperature
    with pytest.raises(experiment.ExperimentError, match=r"'badge': needs embeddings, .*'my_nnx_network:Plain'"):
        build.assemble(chosen)
    chosen.acquisition.method, chosen.posterior.name = "bald", "mc_dropout"
    with pytest.raises(experiment.ExperimentError, match=r"'mc_dropout': .*'my_nnx_network:Plain' has no dropout"):
        build.assemble(chosen)


def test_an_error_in_ones_own_code_shows_its_file_and_line(tmp_path):
    (tmp_path / "broken_parts.py").write_text(
        "def broken(network, training, *, num_draws: int):\n    return training.nosuch\n"
    )
    references.add_folder(tmp_path)
    chosen = config()
    chosen.posterior.name = "broken_parts:broken"
    with pytest.raises(experiment.ExperimentError, match=r"fails at .*broken_parts\.py, line 2 \(AttributeError"):
        build.assemble(chosen)


@pytest.mark.slow
def test_components_from_outside_of_the_package_run_to_figures(tmp_path):
    for path in EXTENSIONS.glob("my_*.py"):
        shutil.copy(path, tmp_path)
    for network in ("linen", "nnx"):
        command = [sys.executable, ROOT / "experiments" / "run.py", f"--config=my_config.py:{network}"]
        subprocess.run([*command, f"--workdir=runs/{network}"], cwd=tmp_path, check=True, capture_output=True)
        folder = RunFolder(tmp_path / "runs" / network)
        assert [record["labels"] for record in folder.read_records()] == [8, 12]
        assert folder.figure.is_file()
    command = [sys.executable, ROOT / "experiments" / "figures.py", "runs/linen", "--output=curves.png"]
    drawn = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert (tmp_path / "curves.png").is_file()
    assert drawn.stdout.splitlines()[2].startswith("Warm BALD")
    command = [sys.executable, ROOT / "experiments" / "report.py", "runs/linen", "runs/nnx", "--claims="]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    page = (tmp_path / "report.html").read_text()
    assert "Warm BALD" in page
    assert "my_dataset:corners, my_nnx_network:Plain, my_posterior:swag" in page


@pytest.mark.slow
def test_a_sweep_takes_methods_from_outside_of_the_package(tmp_path):
    for path in EXTENSIONS.glob("my_*.py"):
        shutil.copy(path, tmp_path)
    methods = "random,my_method:WARM_BALD:temperature=2,my_method:warm_bald:temperature=0.1"
    command = [sys.executable, ROOT / "experiments" / "sweep.py", "--config=my_config.py", f"--methods={methods}"]
    subprocess.run([*command, "--workdir=runs", "--processes=3"], cwd=tmp_path, check=True, capture_output=True)
    table = pd.read_csv(tmp_path / "runs" / "runs.csv")
    assert set(table["path"]) == {"random", "warm_bald_temperature=2", "warm_bald_temperature=0.1"}
    assert set(table["variant"]) == {"Random", "Warm BALD", "warm_bald"}
    assert set(table["labels"]) == {8, 12}


def test_a_sweep_says_what_a_method_of_ones_own_takes():
    references.add_folder(EXTENSIONS)
    with pytest.raises(experiment.ExperimentError, match=r"method 'my_method:WARM_BALD' takes temperature=VALUE"):
        experiment.parse_methods("my_method:WARM_BALD:alpha=2")
    with pytest.raises(experiment.ExperimentError, match=r"--methods: .*there is no module 'nosuch'"):
        experiment.parse_methods("nosuch:method")
    variants = experiment.parse_methods("bald,my_method:WARM_BALD:temperature=2")
    configs = experiment.combine({"mine": config()}, variants)
    assert "temperature" not in configs["bald"].acquisition
    assert configs["warm_bald_temperature=2"].acquisition.temperature == 2.0

"""One component of each kind from outside of the package, run from configuration to figures.

The files in `tests/support/extensions` are what the documentation shows.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lbb_jax import components, experiment
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
    components.add_folder(tmp_path)
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
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "curves.png").is_file()

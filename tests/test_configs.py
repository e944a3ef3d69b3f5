"""Every configuration holds together, and has the numbers that the paper states."""

import importlib.util
import sys
from pathlib import Path

import pytest
from absl import flags
from ml_collections import config_flags

from lbb_jax import experiment
from lbb_jax.experiment import build

FOLDER = Path(__file__).parent.parent / "configs"

FILES = sorted(path.stem for path in FOLDER.glob("*.py"))
# The numbers that the paper states (design, section 7): final and initial size, batch and validation examples.
SIZES = {
    "mnist": (20, 500, 10, 0),
    "fashion_mnist": (20, 500, 10, 0),
    "kmnist": (20, 500, 10, 0),
    "emnist": (94, 3_000, 20, 0),
    "svhn": (500, 5_000, 50, 5_000),
    "cifar10": (2_000, 10_000, 100, 5_000),
    "cifar100": (5_000, 10_400, 100, 5_000),
}
WITH_LAPLACE = ("digits", "embeddings", "text_csv")
REPEATED = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flattened(config):
    fields = {}
    for name, value in config.items():
        fields |= {f"{name}.{inner}": v for inner, v in value.items()} if hasattr(value, "items") else {name: value}
    return fields


@pytest.mark.parametrize("name", FILES)
def test_every_configuration_holds_together_with_every_argument(name):
    usual = "laplace" if name == "embeddings" else "ensemble"
    posteriors = {"ensemble": "deep_ensemble", "mc_dropout": "mc_dropout"}
    if name in WITH_LAPLACE:
        posteriors["laplace"] = "laplace"
    for argument in (None, "", *posteriors):
        config = load(name).get_config(argument)
        build.check(config)
        assert config.posterior.name == posteriors[argument or usual]
    assert load(name).get_config("b=7,mc_dropout").batch_size == 7


@pytest.mark.parametrize("name", SIZES)
def test_the_papers_experiments_have_the_papers_sizes(name):
    config = load(name).get_config()
    sizes = (config.initial_size, config.final_size, config.batch_size, config.dataset.num_validation)
    assert sizes == SIZES[name]
    assert (config.seeds, config.posterior.num_members, config.acquisition.alpha) == (5, 5, 5.0)
    assert config.dataset.name == name


@pytest.mark.parametrize("name", REPEATED)
def test_repeated_data_sets_have_four_noisy_copies(name):
    dataset = load(name).get_config("repeated,b=20").dataset
    assert (dataset.copies, dataset.noise) == (4, 0.1)


def test_the_reduced_preset_is_small_and_a_perceptron_takes_the_place_of_the_papers_network():
    config = load("mnist").get_config("small,repeated,mlp")
    build.check(config)
    assert (config.dataset.num_pool, config.final_size, config.training.num_steps) == (5_000, 200, 96)
    assert config.network.name == "mlp"
    for name, pool, final_size in (
        ("mnist", 10_000, 200),
        ("fashion_mnist", 10_000, 200),
        ("kmnist", 8_000, 200),
        ("emnist", 10_000, 494),
    ):
        config = load(name).get_config("mlp,small")
        build.check(config)
        assert (config.dataset.num_pool, config.final_size, config.network.name) == (pool, final_size, "mlp")


def test_an_encoder_is_either_frozen_or_fine_tuned():
    build.check(load("ag_news").get_config("finetune,mc_dropout"))
    assert load("ag_news").get_config("finetune,b=50").final_size == 1_500
    with pytest.raises(experiment.ExperimentError, match="give only one of frozen, finetune"):
        load("ag_news").get_config("finetune,frozen")


@pytest.mark.parametrize("name", FILES)
def test_unknown_arguments_are_errors_that_name_the_known(name):
    for argument in ("nosuch", "b=ten", "b", "b=-1", "ensemble=1", "Repeated"):
        message = rf"'{argument}': must be one of (laplace, )?ensemble, mc_dropout.*b=INT"
        with pytest.raises(experiment.ExperimentError, match=message):
            load(name).get_config(argument)


@pytest.mark.parametrize("name", sorted(set(FILES) - set(REPEATED)))
def test_the_other_data_sets_are_not_repeated(name):
    with pytest.raises(experiment.ExperimentError, match="'repeated': must be one of"):
        load(name).get_config("repeated")


@pytest.mark.parametrize("name", FILES)
def test_two_posteriors_at_once_are_an_error(name):
    with pytest.raises(experiment.ExperimentError, match=r"give only one of (laplace, )?ensemble, mc_dropout"):
        load(name).get_config("mc_dropout,b=5,ensemble")


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_opens_with_the_command_that_runs_it(name):
    first, _, rest = load(name).__doc__.partition("\n")
    assert first.endswith(".")
    assert rest.lstrip().startswith(f"python experiments/run.py --config=configs/{name}.py")
    assert "--workdir=" in rest
    assert "Arguments, after a colon" in rest


def test_every_field_can_be_overridden(monkeypatch):
    fields = flattened(experiment.default_config())
    # What has no default takes an integer.
    changed = {name: 7 if value is None else value for name, value in fields.items()}
    arguments = [f"--config={FOLDER / 'digits.py'}", *(f"--config.{name}={value}" for name, value in changed.items())]
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values)
    values(sys.argv)
    assert flattened(values.config) == changed


def test_fields_of_a_replaced_part_can_be_overridden(monkeypatch):
    overrides = ("training.num_epochs=3", "training.decay_epochs=(2,)", "network.dropout_rate=0.1", "dataset.copies=2")
    arguments = [f"--config={FOLDER / 'cifar10.py'}:mc_dropout,b=200", *(f"--config.{field}" for field in overrides)]
    # ml_collections looks for overrides there, whatever it is asked to parse.
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values)
    values(sys.argv)
    assert values.config.training.num_epochs == 3
    assert values.config.training.decay_epochs == (2,)
    assert values.config.network.dropout_rate == 0.1
    assert values.config.dataset.copies == 2
    assert values.config.batch_size == 200

"""Every configuration, with every argument, against the numbers of the paper."""

import importlib.util
import sys
from pathlib import Path

import pytest
from absl import flags
from ml_collections import config_flags

from lbb_jax import datasets, experiment

FOLDER = Path(__file__).parent.parent / "configs"

EVERYWHERE = {
    "dataset.num_pool": None,
    "dataset.num_test": None,
    "dataset.copies": 1,
    "dataset.noise": 0.0,
    "posterior.num_members": 5,
    "posterior.num_draws": 100,
    "posterior.num_test_draws": 5,
    "acquisition.alpha": 5.0,
    "seeds": 5,
}
GREY = EVERYWHERE | {
    "dataset.num_validation": 0,
    "network.name": "convolutional",
    "training.name": "fixed_steps",
    "training.learning_rate": 1e-3,
    "training.num_steps": 384,
    "training.batch_size": 64,
    "initial_size": 20,
    "final_size": 500,
    "batch_size": 10,
}
COLOUR = EVERYWHERE | {
    "dataset.num_validation": 5_000,
    "network.name": "resnet18",
    "training.name": "epochs",
    "training.num_epochs": 50,
    "training.learning_rate": 0.05,
    "training.momentum": 0.9,
    "training.weight_decay": 5e-4,
    "training.decay_epochs": (25, 40),
    "training.smallest_batch_size": 50,
    "training.augment": True,
    "batch_size": 100,
}
PAPER = {
    "mnist": GREY,
    "fashion_mnist": GREY,
    "kmnist": GREY,
    "emnist": GREY
    | {"network.name": "emnist_convolutional", "initial_size": 94, "final_size": 3_000, "batch_size": 20},
    "svhn": COLOUR | {"training.augment": False, "initial_size": 500, "final_size": 5_000, "batch_size": 50},
    "cifar10": COLOUR | {"initial_size": 2_000, "final_size": 10_000},
    "cifar100": COLOUR | {"initial_size": 5_000, "final_size": 10_400},
}
REPEATED = ("mnist", "cifar10", "cifar100")
DROPOUT = {
    "convolutional": {"ensemble": (0.25, 0.25, 0.5), "mc_dropout": (0.5, 0.5, 0.5)},
    "emnist_convolutional": {"ensemble": (0.25, 0.25, 0.25, 0.5), "mc_dropout": (0.5, 0.5, 0.5, 0.5)},
    "resnet18": {"ensemble": 0.0, "mc_dropout": 0.3},
}
FILES = sorted(path.stem for path in FOLDER.glob("*.py"))


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


def check(name, argument, expected, posterior):
    fields = flattened(load(name).get_config(argument))
    dropout = DROPOUT[expected["network.name"]][posterior]
    dropout_field = "network.dropout_rate" if isinstance(dropout, float) else "network.dropout_rates"
    expected = expected | {
        "dataset.name": name,
        "posterior.name": "mc_dropout" if posterior == "mc_dropout" else "deep_ensemble",
        dropout_field: dropout,
    }
    assert {field: fields.get(field, "absent") for field in expected} == expected
    # What a regime replaces leaves nothing behind.
    for part in ("dataset", "network", "training"):
        inside = {field for field in fields if field.startswith(f"{part}.")}
        assert inside == {field for field in expected if field.startswith(f"{part}.")}
    assert expected["dataset.name"] in datasets.NAMES


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize(
    ("argument", "posterior", "changed"),
    [
        (None, "ensemble", {}),
        ("", "ensemble", {}),
        ("ensemble", "ensemble", {}),
        ("mc_dropout", "mc_dropout", {}),
        ("ensemble,b=7", "ensemble", {"batch_size": 7}),
        ("b=200,mc_dropout", "mc_dropout", {"batch_size": 200}),
    ],
)
def test_a_configuration_has_the_numbers_of_the_paper(name, argument, posterior, changed):
    check(name, argument, PAPER[name] | changed, posterior)


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("posterior", ["ensemble", "mc_dropout"])
def test_repeated_data_sets_have_four_noisy_copies(name, posterior):
    expected = PAPER[name] | {"dataset.copies": 4, "dataset.noise": 0.1, "batch_size": 20}
    check(name, f"{posterior},repeated,b=20", expected, posterior)


@pytest.mark.parametrize(("argument", "num_pool", "copies"), [("small", 10_000, 1), ("small,repeated", 5_000, 4)])
def test_the_reduced_preset_is_small(argument, num_pool, copies):
    expected = PAPER["mnist"] | {
        "dataset.num_pool": num_pool,
        "dataset.num_test": 2_000,
        "dataset.copies": copies,
        "dataset.noise": 0.1 if copies > 1 else 0.0,
        "training.num_steps": 96,
        "final_size": 200,
    }
    check("mnist", argument, expected, "ensemble")


def test_a_perceptron_can_take_the_place_of_the_papers_network():
    fields = flattened(load("mnist").get_config("repeated,mlp"))
    assert fields["network.name"] == "mlp"
    assert fields["network.hidden_sizes"] == (256, 128)
    assert "network.dropout_rates" not in fields


AG_NEWS = {
    "dataset.max_length": 128,
    "dataset.encoder": "minilm",
    "acquisition.alpha": 5.0,
    "initial_size": 20,
    "final_size": 500,
    "batch_size": 10,
    "seeds": 5,
}
FROZEN = {"dataset.name": "ag_news", "network.name": "mlp", "training.name": "fixed_steps"}
FROZEN |= {"posterior.num_draws": 100, "posterior.num_test_draws": 100}
FINETUNE = {
    "dataset.name": "ag_news_tokens",
    "network.name": "text_classifier",
    "training.name": "fine_tuning",
    "posterior.num_draws": 20,
    "posterior.num_test_draws": 20,
}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (None, FROZEN | {"posterior.name": "deep_ensemble"}),
        ("frozen,mc_dropout", FROZEN | {"posterior.name": "mc_dropout"}),
        ("b=50", FROZEN | {"batch_size": 50, "final_size": 1_500}),
        ("finetune,mc_dropout", FINETUNE | {"posterior.name": "mc_dropout"}),
        ("finetune,b=50", FINETUNE | {"posterior.name": "deep_ensemble", "batch_size": 50, "final_size": 1_500}),
    ],
)
def test_ag_news_has_the_batches_of_the_paper_on_frozen_and_fine_tuned_encoders(argument, expected):
    fields = flattened(load("ag_news").get_config(argument))
    expected = AG_NEWS | expected
    assert {field: fields.get(field, "absent") for field in expected} == expected
    assert expected["dataset.name"] in datasets.NAMES


def test_an_encoder_is_either_frozen_or_fine_tuned():
    with pytest.raises(experiment.ExperimentError, match="give only one of frozen, finetune"):
        load("ag_news").get_config("finetune,frozen")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("argument", ["nosuch", "b=ten", "b", "b=-1", "ensemble=1", "Repeated"])
def test_unknown_arguments_are_errors_that_name_the_known(name, argument):
    with pytest.raises(experiment.ExperimentError, match=rf"'{argument}': must be one of ensemble, mc_dropout.*b=INT"):
        load(name).get_config(argument)


@pytest.mark.parametrize("name", sorted(set(FILES) - set(REPEATED)))
def test_what_the_paper_does_not_repeat_is_not_repeated(name):
    with pytest.raises(experiment.ExperimentError, match="'repeated': must be one of"):
        load(name).get_config("repeated")


@pytest.mark.parametrize("name", FILES)
def test_two_posteriors_at_once_are_an_error(name):
    with pytest.raises(experiment.ExperimentError, match="give only one of ensemble, mc_dropout"):
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

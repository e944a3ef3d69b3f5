"""The trainings and networks that a configuration can name."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from lbb_jax import components, datasets, examples, experiment, labelled_set, loop, posteriors
from lbb_jax.experiment import build, configuration
from lbb_jax.networks.encoder import Architecture, PretrainedEncoder, param_shapes

pytestmark = pytest.mark.usefixtures("training_settings")


def config_by_epochs(network="mlp", **overrides):
    config = experiment.default_config()
    config.dataset.num_pool = 100
    config.final_size = 40
    if network == "resnet18":
        config.network = ConfigDict({"name": "resnet18", "width": 4, "dropout_rate": 0.3})
    config.training = ConfigDict(
        {
            "name": "epochs",
            "num_epochs": 2,
            "learning_rate": 0.05,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "decay_epochs": (25, 40),
            "augment": True,
            "smallest_batch_size": 50,
        }
    )
    config.update_from_flattened_dict(overrides)
    return config


def test_a_linear_head_on_embeddings_has_a_laplace_posterior_by_its_names(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "embeddings.npz",
        train_features=rng.normal(size=(60, 6)).astype(np.float16),
        train_labels=np.arange(60) % 3,
    )
    config = experiment.default_config()
    config.dataset.update({"name": "arrays", "path": str(tmp_path / "embeddings.npz")})
    config.network = ConfigDict({"name": "linear"})
    config.training = ConfigDict({"name": "full_batch", "num_steps": 4, "prior_precision": 10.0})
    config.posterior.update({"name": "laplace", "num_members": 1, "num_draws": 30, "structure": "kronecker"})
    config.initial_size, config.final_size = 6, 16
    data, settings, *_ = build.assemble(config)
    init, fit, sample, *_ = settings.posterior

    def run(key):
        params = init(key, examples.inputs(data.pool, jnp.arange(1)))
        trained, losses = fit(key, params, data, labelled_set.create(jnp.arange(6), capacity=16))
        return losses, sample(key, trained, data.pool)

    losses, log_probs = jax.eval_shape(run, jax.random.key(0))
    assert losses.shape == (1, 4)
    assert log_probs.shape == (data.pool.num_examples, 30, 3)
    assert components.title("training", "full_batch", config.training) == "4 L-BFGS steps"


@pytest.mark.parametrize(
    ("posterior_name", "network", "training_name"),
    [
        pytest.param("deep_ensemble", "resnet18", "epochs", marks=pytest.mark.slow),
        pytest.param("mc_dropout", "resnet18", "fixed_steps", marks=pytest.mark.slow),
        ("mc_dropout", "mlp", "epochs"),
    ],
)
def test_posteriors_train_networks_with_and_without_normalisation_in_both_ways(posterior_name, network, training_name):
    config = config_by_epochs(network, **{"posterior.name": posterior_name})
    if training_name == "fixed_steps":
        config.training = experiment.default_config().training
    data, settings, *_ = build.assemble(config)
    init, fit, sample, embed, *_ = settings.posterior
    # Shapes show that all parts fit together, and need no compilation.
    params = jax.eval_shape(init, jax.random.key(0), examples.inputs(data.pool, jnp.arange(1)))
    labelled = labelled_set.create(jnp.arange(20), capacity=40)
    trained, losses = jax.eval_shape(fit, jax.random.key(0), params, data, labelled)
    assert trained == params
    members, draws = (5, 5) if posterior_name == "deep_ensemble" else (1, 100)
    assert losses.shape == (members, 300 if training_name == "fixed_steps" else 2)
    assert jax.eval_shape(sample, jax.random.key(0), trained, data.test).shape == (500, draws, 10)
    assert jax.eval_shape(embed, trained, data.test).shape == (500, 128 if network == "mlp" else 32)


@pytest.mark.parametrize(("batch_size", "minibatch"), [(10, 50), (60, 60)])
def test_minibatches_are_as_large_as_the_acquired_batch_but_not_too_small(batch_size, minibatch):
    config = config_by_epochs(batch_size=batch_size)
    data, settings, training, _, _ = build.assemble(config)
    params = jax.eval_shape(settings.posterior.init, jax.random.key(0), examples.inputs(data.pool, jnp.arange(1)))
    labelled = labelled_set.create(jnp.arange(20), capacity=40)
    program = str(jax.make_jaxpr(settings.posterior.fit)(jax.random.key(0), params, data, labelled))
    assert f"f32[5,{minibatch},8,8,1]" in program
    assert training.unit == "epoch"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.name": "annealing"}, r"config\.training\.name='annealing'.*'fixed_steps', 'epochs'"),
        ({"training.name": "fixed_steps"}, r"config\.training\.\w+=.*: there is no such field; .*'fixed_steps' takes"),
        ({"training.num_epochs": 0}, r"config\.training\.num_epochs=0"),
        ({"training.learning_rate": 0.0}, r"config\.training\.learning_rate=0\.0"),
        ({"training.momentum": 1.0}, r"config\.training\.momentum=1\.0"),
        ({"training.weight_decay": -1.0}, r"config\.training\.weight_decay=-1\.0"),
        ({"training.decay_epochs": (40, 25)}, r"config\.training\.decay_epochs=\(40, 25\)"),
        ({"training.smallest_batch_size": 0}, r"config\.training\.smallest_batch_size=0"),
    ],
)
def test_a_field_of_training_out_of_range_is_an_error(overrides, message):
    with pytest.raises(experiment.ExperimentError, match=message):
        build.assemble(config_by_epochs(**overrides))


NAN = float("nan")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"seeds": None}, r"config\.seeds=None: must be an integer, at least 1"),
        ({"seeds": True}, r"config\.seeds=True: must be an integer"),
        ({"batch_size": np.int64(5)}, r"config\.batch_size=.*\(int64\): must be an int, a float"),
        ({"initial_size": -1}, r"config\.initial_size=-1: must be at least 1"),
        ({"initial_size": 201}, r"config\.initial_size=201: must be at most config\.final_size=200"),
        ({"driver": None}, r"config\.driver=None: must be a text, one of 'auto', 'host', 'scan'"),
        ({"compute_dtype": "float16"}, r"config\.compute_dtype='float16': must be one of 'float32', 'bfloat16'"),
        ({"dataset.name": "imagenet"}, r"config\.dataset\.name='imagenet': must be one of 'digits'"),
        ({"dataset.num_pool": -3}, r"config\.dataset\.num_pool=-3: must be at least 1"),
        ({"dataset.num_pool": 150}, r"config\.final_size=200: the pool has only 150 points"),
        ({"dataset.num_pool": 210, "batch_size": 191}, r"config\.batch_size=191: only 190 of the pool's 210 points"),
        ({"dataset.noise": NAN}, r"config\.dataset\.noise=nan: must be at least 0 and finite"),
        ({"dataset.copies": 1.5}, r"config\.dataset\.copies=1\.5: must be an integer, at least 1"),
        ({"network.dropout_rate": 1}, r"config\.network\.dropout_rate=1\.0: must be at least 0 and below 1"),
        ({"network.dropout_rate": NAN}, r"config\.network\.dropout_rate=nan: must be at least 0 and below 1"),
        ({"network.hidden_sizes": ()}, r"config\.network\.hidden_sizes=\(\): must be at least one"),
        ({"network.hidden_sizes": ("abc",)}, r"config\.network\.hidden_sizes=\('abc',\): must be a tuple of integers"),
        ({"posterior.num_test_draws": 0}, r"config\.posterior\.num_test_draws=0: must be at least 1"),
        ({"posterior.members_at_once": 0}, r"config\.posterior\.members_at_once=0: must be at least 1"),
        ({"training.num_steps": 2.5}, r"config\.training\.num_steps=2\.5: must be an integer, at least 1"),
        ({"training.learning_rate": float("inf")}, r"config\.training\.learning_rate=inf: must be above 0 and finite"),
        ({"acquisition.alpha": NAN}, r"config\.acquisition\.alpha=nan: must be at least 0 and finite"),
        ({"acquisition.method": "bold"}, r"config\.acquisition\.method='bold': must be one of 'random'"),
        ({"training": 5}, r"config\.training=5: must be a section"),
        ({"sseeds": 5}, r"config\.sseeds: there is no such field; there are acquisition, batch_size"),
        (
            {"posterior.draws": 5},
            r"config\.posterior\.draws=5: there is no such field; .* takes members_at_once",
        ),
    ],
)
def test_a_value_that_cannot_be_is_an_error_before_anything_is_loaded(overrides, message, monkeypatch):
    monkeypatch.setattr(build.datasets, "load", None)
    config = experiment.default_config()
    with config.ignore_type():
        for name, value in overrides.items():
            section, _, field = name.rpartition(".")
            (config[section] if section else config)[field] = value
    for function in (build.check, build.assemble):
        with pytest.raises(experiment.ExperimentError, match=message):
            function(config)


@pytest.mark.parametrize(
    "field", ["seeds", "posterior", "dataset.copies", "posterior.num_members", "acquisition.sampling"]
)
def test_a_field_that_is_missing_is_an_error_that_names_it(field):
    config = experiment.default_config()
    section, _, name = field.rpartition(".")
    del (config[section] if section else config)[name]
    with pytest.raises(experiment.ExperimentError, match=rf"^config\.{field}: is missing"):
        build.check(config)


def test_a_network_that_does_not_take_the_examples_is_an_error_before_training():
    config = experiment.default_config()
    config.network = ConfigDict({"name": "convolutional", "dropout_rates": (0.1, 0.1, 0.1)})
    message = r"config\.network\.name='convolutional': does not fit .*'digits', whose examples .* shape \(8, 8, 1\)"
    with pytest.raises(experiment.ExperimentError, match=message):
        build.assemble(config)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "mlp", "hidden_sizes": (8,), "dropout_rate": 0.0},
        pytest.param({"name": "resnet18", "width": 4, "dropout_rate": 0.0}, marks=pytest.mark.slow),
    ],
)
def test_dropout_masks_of_a_network_without_dropout_are_an_error_before_training(fields):
    config = experiment.default_config()
    config.network = ConfigDict(fields)
    build.assemble(config)
    config.posterior.name = "mc_dropout"
    message = rf"config\.posterior\.name='mc_dropout': .* config\.network\.name='{fields['name']}' has no dropout"
    with pytest.raises(experiment.ExperimentError, match=message):
        build.assemble(config)
    config.network.dropout_rate = 0.1
    build.assemble(config)


@pytest.mark.parametrize("fault", [AssertionError(), RuntimeError("Unable to initialize backend 'cuda'")])
def test_a_platform_without_a_device_is_an_error_that_names_the_variable(fault, monkeypatch):
    def devices():
        raise fault

    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(experiment.ExperimentError, match=rf"JAX_PLATFORMS=.*: JAX finds no such device; .*{fault}"):
        build.assemble(experiment.default_config())


def test_augmenting_what_are_no_images_is_an_error(monkeypatch):
    digits = datasets.load("digits", num_pool=100)
    flat = examples.create(digits.pool.features.reshape(100, 64), digits.pool.labels, mean=0.0, std=1.0)
    monkeypatch.setattr(build.datasets, "load", lambda **fields: digits._replace(pool=flat))
    with pytest.raises(experiment.ExperimentError, match=r"'digits' are not; set config\.training\.augment=False"):
        build.assemble(config_by_epochs())
    build.assemble(config_by_epochs(**{"training.augment": False}))


def test_validation_examples_reach_training(monkeypatch):
    digits = datasets.load("digits", num_pool=100)
    monkeypatch.setattr(build.datasets, "load", lambda **fields: digits._replace(validation=digits.test))
    assert build.assemble(config_by_epochs()).data.validation is digits.test


@pytest.mark.parametrize(
    ("overrides", "options"),
    [
        ({"method": "lbb"}, {"redundancy": "pairwise", "pair_weight": 2.0, "pairs": "exact"}),
        ({"method": "lbb", "redundancy": "tree"}, {"redundancy": "tree", "pairs": "exact"}),
        ({"method": "power_bald"}, {"alpha": 5.0}),
        ({"method": "bald"}, {"sampling": "top"}),
        ({"method": "lbb_released", "sampling": "power"}, {"sampling": "power", "alpha": 5.0}),
        ({"method": "epig"}, {"num_targets": 500, "sampling": "top"}),
    ],
)
def test_a_method_has_the_fields_that_are_its_own_and_have_an_effect(overrides, options):
    config = experiment.default_config()
    config.acquisition.update({"alpha": 5.0, "pair_weight": 2.0, **overrides})
    assert configuration.acquisition_options(config) == options


@pytest.mark.parametrize(
    ("method", "predictions", "embeddings"),
    [("random", False, False), ("bald", True, False), ("core_set", False, True), ("badge", True, True)],
)
def test_the_pool_is_predicted_and_embedded_where_the_method_needs_it(method, predictions, embeddings):
    settings = build.assemble(config_by_epochs(**{"acquisition.method": method})).settings
    assert (settings.uses_predictions, settings.uses_embeddings) == (predictions, embeddings)


@pytest.fixture
def tokens(monkeypatch):
    """Makes every data set one of texts, with a tiny encoder."""
    architecture = Architecture(30, 8, 2, num_layers=1, num_heads=2, hidden_size=8, intermediate_size=12)
    params = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), param_shapes(architecture))
    texts = examples.create(jnp.zeros((60, 8), jnp.int32), jnp.arange(60) % 4)
    dataset = datasets.Dataset(texts, texts, 4, encoder=PretrainedEncoder(architecture, params))
    monkeypatch.setattr(build.datasets, "load", lambda **fields: dataset)
    return dataset


def config_of_texts():
    config = experiment.default_config()
    config.final_size = 40
    config.network = ConfigDict({"name": "text_classifier", "dropout_rate": 0.1})
    names = {"learning_rate": 1e-4, "num_steps": 3, "batch_size": 4, "warmup": 0.1, "weight_decay": 0.01}
    config.training = ConfigDict({"name": "fine_tuning"} | names)
    return config


def test_a_pretrained_encoder_reaches_training(tokens):
    data, settings, *_ = build.assemble(config_of_texts())
    assert data.pretrained["encoder"] is tokens.encoder.params
    params, losses = jax.eval_shape(
        lambda seed: loop.train(loop.init(jax.random.key(seed), data, settings), data, settings), 0
    )
    assert params.params["encoder"]["embeddings"]["words"]["embedding"].shape == (5, 30, 8)
    assert losses.shape == (5, 3)
    assert jax.eval_shape(settings.posterior.sample, jax.random.key(0), params, data.test).shape == (60, 5, 4)


def test_tokens_take_the_network_for_tokens_and_nothing_else_does(tokens, monkeypatch):
    config = config_of_texts()
    config.network = experiment.default_config().network
    with pytest.raises(experiment.ExperimentError, match=r"config\.network\.name='mlp': .*='digits' has tokens"):
        build.assemble(config)
    monkeypatch.undo()
    with pytest.raises(experiment.ExperimentError, match=r"name='text_classifier': .*='digits' has no tokens"):
        build.assemble(config_of_texts())


def test_fields_of_another_network_are_an_error():
    config = experiment.default_config()
    config.network.name = "convolutional"
    with pytest.raises(
        experiment.ExperimentError,
        match=r"config\.network\.(hidden_sizes|dropout_rate)=.*: there is no such field; .* takes dropout_rates",
    ):
        build.assemble(config)


@pytest.mark.parametrize(
    ("platform", "network", "field", "at_once"),
    [
        ("cpu", "mlp", None, None),
        ("cpu", "resnet18", None, 1),
        pytest.param("gpu", "resnet18", None, None, marks=pytest.mark.slow),
        pytest.param("cpu", "resnet18", 2, 2, marks=pytest.mark.slow),
    ],
)
def test_members_are_trained_side_by_side_where_it_is_faster(platform, network, field, at_once, monkeypatch):
    made, make = [], posteriors.deep_ensemble

    @functools.wraps(make)
    def note(network, training, **options):
        made.append(options)
        return make(network, training, **options)

    monkeypatch.setattr(posteriors, "deep_ensemble", note)
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    config = config_by_epochs(network)
    config.posterior.members_at_once = field
    build.assemble(config)
    assert made == [{"num_members": 5, "members_at_once": at_once}]


@pytest.mark.parametrize(
    ("platform", "network", "field", "at_once"),
    [
        ("cpu", "mlp", None, 3),
        ("cpu", "resnet18", None, 1),
        pytest.param("gpu", "resnet18", None, 3, marks=pytest.mark.slow),
        pytest.param("cpu", "resnet18", 2, 2, marks=pytest.mark.slow),
    ],
)
def test_seeds_run_side_by_side_where_it_is_faster(platform, network, field, at_once, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    assert build.assemble(config_by_epochs(network, seeds_at_once=field)).seeds_at_once == at_once


@pytest.mark.parametrize(
    ("name", "ignored"),
    [("deep_ensemble", ["num_draws", "num_test_draws"]), ("laplace", ["num_test_draws"]), ("own:posterior", [])],
)
def test_fields_that_a_posterior_of_the_project_does_not_take_are_ignored(name, ignored):
    assert components.ignored("posterior", name, ["name", "num_members", "num_draws", "num_test_draws"]) == ignored

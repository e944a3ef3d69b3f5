"""A problem small enough to train on in a test: digits, a small network, a few steps."""

import functools

import optax

from lbb_jax import acquisition, datasets, networks, posteriors
from lbb_jax.loop import Data, Settings
from lbb_jax.training import Training

NUM_CLASSES = 10


@functools.cache
def data(num_pool=120, num_test=60, **options):
    dataset = datasets.load("digits", num_pool=num_pool, num_test=num_test, **options)
    return Data(dataset.pool, dataset.test)


def network(dropout_rate=0.3):
    return networks.functional(networks.MLP(NUM_CLASSES, hidden_sizes=(16,), dropout_rate=dropout_rate))


def training(num_steps=10):
    return Training(optax.adam(1e-2), num_steps=num_steps, batch_size=8)


def posterior(name="deep_ensemble"):
    if name == "deep_ensemble":
        return posteriors.deep_ensemble(network(), training(), num_members=2)
    return posteriors.mc_dropout(network(), training(), num_draws=4)


def settings(method="bald", posterior_name="deep_ensemble", initial_size=10, batch_size=4, final_size=20, **options):
    chosen = acquisition.METHODS[method]
    return Settings(
        posterior=posterior(posterior_name),
        acquire=functools.partial(chosen.function, **options),
        num_classes=NUM_CLASSES,
        initial_size=initial_size,
        batch_size=batch_size,
        final_size=final_size,
        test_draws=3 if posterior_name == "mc_dropout" else None,
        uses_predictions=chosen.uses_predictions,
    )

"""A problem small enough to train on in a test: digits, a small network, a few steps."""

import functools

import flax.linen as nn
import jax
import optax

from lbb_jax import acquisition, datasets, examples, loop, networks, posteriors
from lbb_jax.loop import Data, Settings
from lbb_jax.networks.dropout import EACH_INPUT, OFF, Dropout
from lbb_jax.training import epochs, fixed_steps

NUM_CLASSES = 10


@functools.cache
def data(num_pool=120, num_test=60, num_validation=0, **options):
    dataset = datasets.load("digits", num_pool=num_pool, num_test=num_test, **options)
    if num_validation == 0:
        return Data(dataset.pool, dataset.test)
    rest = datasets.load("digits", num_pool=num_pool + num_validation).pool
    features, labels = rest.features[num_pool:], rest.labels[num_pool:]
    return Data(dataset.pool, dataset.test, examples.create(features, labels, mean=rest.mean, std=rest.std))


class NormalisedClassifier(nn.Module):
    """Two dense layers with batch normalisation between them: it compiles faster than a residual network."""

    num_classes: int = NUM_CLASSES

    def setup(self):
        self.hidden = nn.Dense(16)
        self.normalisation = nn.BatchNorm(momentum=0.9)
        self.dropout = Dropout(0.3)
        self.output = nn.Dense(self.num_classes)

    def before_dropout(self, inputs, training=False):
        hidden = self.hidden(inputs.reshape(len(inputs), -1))
        return nn.relu(self.normalisation(hidden, use_running_average=not training))

    def features(self, hidden, mode):
        return self.dropout(hidden, mode)

    def after_dropout(self, hidden, mode):
        return self.output(self.features(hidden, mode))

    def __call__(self, inputs, mode=OFF):
        return self.after_dropout(self.before_dropout(inputs, training=mode == EACH_INPUT), mode)


def network(dropout_rate=0.3):
    return networks.functional(networks.MLP(NUM_CLASSES, hidden_sizes=(16,), dropout_rate=dropout_rate))


def normalised_network():
    return networks.functional(NormalisedClassifier())


def training(num_steps=10):
    return fixed_steps(optax.adam(1e-2), num_steps=num_steps, batch_size=8)


def training_by_epochs(**options):
    defaults = {
        "num_epochs": 3,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "decay_epochs": (2,),
        "smallest_batch_size": 8,
        "augment": False,
    }
    return epochs(**(defaults | options))


def parts(training_name):
    """A network and its training: a perceptron in fixed steps, or one with batch normalisation by epochs."""
    if training_name == "fixed_steps":
        return network(), training()
    return normalised_network(), training_by_epochs(augment=True)


def posterior(name="deep_ensemble", training_name="fixed_steps"):
    if name == "deep_ensemble":
        return posteriors.deep_ensemble(*parts(training_name), num_members=2)
    return posteriors.mc_dropout(*parts(training_name), num_draws=4, num_test_draws=3)


def settings(
    method="bald",
    posterior_name="deep_ensemble",
    training_name="fixed_steps",
    initial_size=10,
    batch_size=4,
    final_size=20,
    **options,
):
    chosen = acquisition.find_method(method)
    return Settings(
        posterior=posterior(posterior_name, training_name),
        acquire=functools.partial(chosen.function, **options),
        num_classes=NUM_CLASSES,
        initial_size=initial_size,
        batch_size=batch_size,
        final_size=final_size,
        uses_predictions=chosen.uses_predictions,
        uses_embeddings=chosen.uses_embeddings,
        uses_labels=chosen.uses_labels,
    )


@functools.cache
def whole_run(**options):
    """The settings with these options and their whole run ``(key, data)``, compiled once for all tests."""
    chosen = settings(**options)
    return chosen, jax.jit(lambda key, data: loop.run(key, data, chosen))

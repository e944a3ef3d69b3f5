"""Your own arrays: vectors or images with labels, in an .npz file or a folder of .npy files; a deep ensemble of 5.

    python experiments/run.py --config=configs/arrays.py --config.dataset.path=my_data.npz \
        --config.acquisition.method=power_lbb --workdir=runs/arrays/power_lbb

The arrays are ``train_features`` and ``train_labels`` and, if there is a test split, ``test_features`` and
``test_labels``. Without one, a fifth of the examples is held out to test on. Labels are texts or whole numbers. For
images larger than 16 × 16, choose a convolutional network, as configs/mnist.py does.

Arguments, after a colon and separated by commas: ``ensemble`` (default) or ``mc_dropout``; ``b=INTEGER`` (10).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/arrays.py:argument``."""
    arguments = experiment.parse_arguments(argument, choices=("ensemble", "mc_dropout"), integers=("b",))
    config = experiment.default_config()
    config.dataset.name = "arrays"
    # An .npz file, or a folder of .npy files.
    config.dataset.path = "my_data.npz"
    # Whether features are standardised by the statistics of the training examples.
    config.dataset.standardise = True
    # The share of the examples that is held out where there are no test arrays.
    config.dataset.test_share = 0.2
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.batch_size = arguments.get("b", config.batch_size)
    return config

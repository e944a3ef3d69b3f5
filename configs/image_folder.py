"""Your own images: a folder for each class; a convolutional network, a deep ensemble of 5.

    python experiments/run.py --config=configs/image_folder.py --config.dataset.path=my_images \
        --config.acquisition.method=power_lbb --workdir=runs/images/power_lbb

The folder holds ``train/CLASS/*`` and, if there is a test split, ``test/CLASS/*``; or ``CLASS/*`` alone. Without a test
split, a fifth of the images is held out to test on.

Arguments, after a colon and separated by commas: ``ensemble`` (default) or ``mc_dropout``; ``b=INTEGER`` (10).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/image_folder.py:argument``."""
    arguments = experiment.parse_arguments(argument, choices=("ensemble", "mc_dropout"), integers=("b",))
    config = experiment.default_config()
    config.dataset.name = "image_folder"
    config.dataset.path = "my_images"
    # Height and width that all images are resized to.
    config.dataset.image_size = 32
    # Three channels, or one of grey values.
    config.dataset.color = True
    config.dataset.test_share = 0.2
    config.network = ConfigDict({"name": "convolutional", "dropout_rates": (0.25, 0.25, 0.5)})
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.batch_size = arguments.get("b", config.batch_size)
    return config

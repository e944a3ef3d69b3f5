"""The paper's CIFAR-10 experiment: 45,000 in the pool, 2,000 to 10,000 labels, a ResNet-18.

    python experiments/run.py --config=configs/cifar10.py:ensemble --config.acquisition.method=power_lbb \
        --workdir=runs/cifar10/power_lbb

Needs a GPU, and CIFAR-10 prepared by tensorflow-datasets (``cifar10``); TFDS_DATA_DIR says where. 5,000 of the 50,000
training images are for validation.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``repeated`` for RCIFAR-10 (4 noisy copies of each image); ``b=INTEGER`` (100; the paper's are 100
and 200).
"""

from ml_collections import ConfigDict

from lbb_jax.experiment import regimes


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/cifar10.py:argument``."""
    arguments = regimes.parse_image_arguments(argument, flags=("repeated",))
    return regimes.colour_images(
        "cifar10", arguments, initial_size=2_000, final_size=10_000, batch_size=100, augment=True
    )

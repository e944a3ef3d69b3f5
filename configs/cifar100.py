"""The paper's CIFAR-100 experiment: 45,000 in the pool, 5,000 to 10,400 labels, a ResNet-18.

    python experiments/run.py --config=configs/cifar100.py:ensemble --config.acquisition.method=power_lbb \
        --workdir=runs/cifar100/power_lbb

Needs a GPU, and CIFAR-100 prepared by tensorflow-datasets (``cifar100``); TFDS_DATA_DIR says where. The loader has only
read generated images, never the real ones. 5,000 of the 50,000 training images are for validation.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``repeated`` for RCIFAR-100 (4 noisy copies of each image); ``b=INTEGER`` (100; the paper's are 100
and 200).
"""

from ml_collections import ConfigDict

from lbb_jax.experiment import regimes


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/cifar100.py:argument``."""
    arguments = regimes.parse_image_arguments(argument, flags=("repeated",))
    return regimes.colour_images(
        "cifar100", arguments, initial_size=5_000, final_size=10_400, batch_size=100, augment=True
    )

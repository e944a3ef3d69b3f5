"""The paper's Fashion-MNIST experiment: 60,000 in the pool, 20 to 500 labels, trained from scratch in each round.

    python experiments/run.py --config=configs/fashion_mnist.py:mc_dropout,b=20 \
        --config.acquisition.method=power_lbb --workdir=runs/fashion_mnist/power_lbb

Needs Fashion-MNIST prepared by tensorflow-datasets (``fashion_mnist``); TFDS_DATA_DIR says where. The loader has only
read generated images, never the real ones.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``b=INTEGER`` (10; the paper's are 10 and 20).
"""

from ml_collections import ConfigDict

from lbb_jax.experiment import regimes


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/fashion_mnist.py:argument``."""
    arguments = regimes.parse_image_arguments(argument)
    return regimes.grey_images("fashion_mnist", arguments, initial_size=20, final_size=500, batch_size=10)

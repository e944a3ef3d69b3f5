"""The paper's KMNIST experiment: 60,000 in the pool, 20 to 500 labels, trained from scratch in each round.

    python experiments/run.py --config=configs/kmnist.py:mc_dropout,b=20 \
        --config.acquisition.method=power_lbb --workdir=runs/kmnist/power_lbb

Needs KMNIST prepared by tensorflow-datasets (``kmnist``); TFDS_DATA_DIR says where. The loader has only read generated
images, never the real ones.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``b=INTEGER`` (10; the paper's are 10 and 20).
"""

from ml_collections import ConfigDict

from lbb_jax.experiment import regimes


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/kmnist.py:argument``."""
    arguments = regimes.parse_image_arguments(argument)
    return regimes.grey_images("kmnist", arguments, initial_size=20, final_size=500, batch_size=10)

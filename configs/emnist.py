"""The paper's EMNIST experiment (balanced, 47 classes): 112,800 in the pool, 94 to 3,000 labels.

    python experiments/run.py --config=configs/emnist.py:mc_dropout --config.acquisition.method=power_lbb \
        --workdir=runs/emnist/power_lbb

Needs EMNIST prepared by tensorflow-datasets (``emnist/balanced``); TFDS_DATA_DIR says where. The loader has only read
generated images, never the real ones. The paper gives no sizes of the labelled set: 94 (2 a class) is ours, 3,000 and
batches of 20 are from its released code.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``b=INTEGER`` (20).
"""

from ml_collections import ConfigDict

from lbb_jax.experiment import regimes


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/emnist.py:argument``."""
    arguments = regimes.parse_image_arguments(argument)
    return regimes.grey_images(
        "emnist",
        arguments,
        initial_size=94,
        final_size=3_000,
        batch_size=20,
        network="emnist_convolutional",
        num_convolutions=3,
    )

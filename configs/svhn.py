"""The paper's SVHN experiment (cropped digits): 68,257 in the pool, 500 to 5,000 labels, a ResNet-18.

    python experiments/run.py --config=configs/svhn.py:ensemble --config.acquisition.method=power_lbb \
        --workdir=runs/svhn/power_lbb

Needs a GPU, and SVHN prepared by tensorflow-datasets (``svhn_cropped``); TFDS_DATA_DIR says where. The loader has only
read generated images, never the real ones. 5,000 of the 73,257 training images are for validation; the images that
SVHN calls extra are not used.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``b=INTEGER`` (50; the paper's are 50 and 100).
"""

from ml_collections import ConfigDict

from lbb_jax.experiment import regimes


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/svhn.py:argument``."""
    arguments = regimes.parse_image_arguments(argument)
    return regimes.colour_images("svhn", arguments, initial_size=500, final_size=5_000, batch_size=50, augment=False)

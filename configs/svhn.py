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

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/svhn.py:argument``."""
    arguments = experiment.parse_arguments(argument, choices=("ensemble", "mc_dropout"), integers=("b",))
    config = experiment.default_config()
    config.dataset.name = "svhn"
    config.dataset.num_validation = 5_000
    # Our choice; the paper does not state the dropout rate of the ResNet.
    config.network = ConfigDict({"name": "resnet18", "dropout_rate": 0.3 if arguments["mc_dropout"] else 0.0})
    config.training = ConfigDict()
    config.training.name = "epochs"
    config.training.num_epochs = 50
    config.training.learning_rate = 0.05
    config.training.momentum = 0.9
    config.training.weight_decay = 5e-4
    # The learning rate falls to a tenth after each of these.
    config.training.decay_epochs = (25, 40)
    # A minibatch holds as many examples as a round acquires, and at least this many.
    config.training.smallest_batch_size = 50
    config.training.augment = False
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.posterior.num_members = 5
    config.posterior.num_draws, config.posterior.num_test_draws = 100, 5
    config.acquisition.alpha = 5.0
    config.initial_size, config.final_size = 500, 5_000
    config.batch_size = arguments.get("b", 50)
    config.seeds = 5
    return config

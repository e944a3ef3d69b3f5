import numpy as np
import pytest
import text_checkpoints
from text_checkpoints import TEXTS

from lbb_jax import text
from lbb_jax.text import embedding, tokenization

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return text.load_text_encoder(str(text_checkpoints.write(tmp_path_factory.mktemp("encoder"))), max_length=16)


def embed(encoder, cache, texts=TEXTS):
    done = []
    vectors = text.embed(encoder, texts, on_progress=done.append, cache=cache)
    assert sum(done) == len(texts)
    return vectors


@pytest.fixture
def computed(monkeypatch):
    """A list that grows by the texts whose vectors are computed."""
    texts_computed = []
    compute = embedding._compute

    def note(encoder, texts, on_progress):
        texts_computed.extend(texts)
        return compute(encoder, texts, on_progress)

    monkeypatch.setattr(embedding, "_compute", note)
    return texts_computed


def test_vectors_are_means_of_hidden_states_over_the_tokens_of_each_text(encoder, tmp_path):
    vectors = embed(encoder, tmp_path)
    assert vectors.dtype == np.float32
    tensors = text_checkpoints.random_tensors("bert")
    for vector, tokens in zip(vectors, tokenization.tokenize(encoder.tokenizer, TEXTS, max_length=16), strict=True):
        expected = text_checkpoints.reference_hidden_states("bert", tensors, tokens).mean(axis=0)
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_the_same_texts_are_embedded_once(encoder, tmp_path, computed):
    first = embed(encoder, tmp_path)
    np.testing.assert_array_equal(embed(encoder, tmp_path), first)
    assert computed == TEXTS


def test_other_texts_are_embedded_again(encoder, tmp_path, computed):
    embed(encoder, tmp_path)
    again = embed(encoder, tmp_path, TEXTS[::-1])
    np.testing.assert_allclose(again[::-1], embed(encoder, tmp_path), atol=1e-6)
    assert computed == TEXTS + TEXTS[::-1]


def test_a_damaged_file_is_replaced(encoder, tmp_path, computed):
    first = embed(encoder, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    for _ in range(2):
        np.testing.assert_array_equal(embed(encoder, tmp_path), first)
    assert computed == TEXTS * 2


def test_whatever_the_vectors_depend_on_tells_encoders_apart(encoder, tmp_path):
    tensors = text_checkpoints.random_tensors("bert")
    tensors["embeddings.LayerNorm.bias"][0] += 1e-6
    other_words = text_checkpoints.write(tmp_path / "words")
    (other_words / "vocab.txt").write_text("\n".join(text_checkpoints.VOCABULARY[::-1]))
    copies = {
        "same": text_checkpoints.write(tmp_path / "same"),
        "tensor": text_checkpoints.write(tmp_path / "tensor", tensors=tensors),
        "activation": text_checkpoints.write(tmp_path / "activation", hidden_act="relu"),
        "vocabulary": other_words,
    }
    digests = {name: text.load_text_encoder(str(folder), max_length=16).digest for name, folder in copies.items()}
    digests["length"] = text.load_text_encoder(str(copies["same"]), max_length=15).digest
    assert digests.pop("same") == encoder.digest
    assert len({*digests.values(), encoder.digest}) == 1 + len(digests)


@pytest.mark.parametrize("max_length", [2, 21])
def test_a_length_that_the_encoder_cannot_read_is_an_error(max_length, tmp_path):
    folder = text_checkpoints.write(tmp_path)
    with pytest.raises(ValueError, match=f"max_length={max_length}: must be at least 3.*at most the encoder's 20"):
        text.load_text_encoder(str(folder), max_length=max_length)


def test_a_vocabulary_larger_than_the_encoders_is_an_error(tmp_path):
    folder = text_checkpoints.write(tmp_path)
    with (folder / "vocab.txt").open("a") as file:
        file.write("\nmore\nthan\nthere\nare")
    with pytest.raises(text.CheckpointError, match="tokenizer has 25 tokens, its encoder only 21"):
        text.load_text_encoder(str(folder), max_length=16)

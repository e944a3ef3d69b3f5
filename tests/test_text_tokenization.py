import json

import numpy as np
import pytest
import text_checkpoints
from text_checkpoints import TEXTS, VOCABULARY

from lbb_jax import text
from lbb_jax.networks.encoder import PADDING
from lbb_jax.text import tokenization


@pytest.fixture
def folder(tmp_path):
    return text_checkpoints.write(tmp_path)


def words(tokens):
    return " ".join(VOCABULARY[token] for token in tokens)


def test_texts_become_words_between_special_tokens(folder):
    tokenizer = tokenization.load_tokenizer(folder)
    sequences = tokenization.tokenize(tokenizer, ["Stocks  rise.", "Wars, unheard of"], max_length=20)
    assert [words(tokens) for tokens in sequences] == [
        "[CLS] stocks rise . [SEP]",
        "[CLS] war ##s [UNK] [UNK] of [SEP]",
    ]


def test_the_whole_tokenizer_comes_before_the_vocabulary_and_its_own_lengths_do_not_count(folder):
    of_vocabulary = tokenization.load_tokenizer(folder)
    expected = tokenization.tokenize(of_vocabulary, TEXTS, max_length=20)
    of_vocabulary.enable_truncation(4)
    of_vocabulary.enable_padding(length=64)
    of_vocabulary.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    found = tokenization.tokenize(tokenization.load_tokenizer(folder), TEXTS, max_length=20)
    for tokens, expected_tokens in zip(found, expected, strict=True):
        np.testing.assert_array_equal(tokens, expected_tokens)


def test_case_counts_where_the_checkpoint_says_so(folder):
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    tokens = tokenization.tokenize(tokenization.load_tokenizer(folder), ["Stocks rise"], max_length=20)[0]
    assert words(tokens) == "[CLS] [UNK] rise [SEP]"


def test_long_texts_lose_their_ends_but_not_the_special_tokens(folder):
    tokens = tokenization.tokenize(tokenization.load_tokenizer(folder), TEXTS, max_length=5)[1]
    assert words(tokens) == "[CLS] the team wins [SEP]"


def test_batches_hold_every_text_once_in_few_shapes():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 100, rng.integers(2, 101)).astype(np.int32) for _ in range(101)]
    batches = list(tokenization.batches(sequences, batch_size=8, max_length=100))
    assert {tokens.shape for _, tokens in batches} == {(8, length) for length in (16, 32, 48, 64, 80, 96, 100)}
    assert sorted(np.concatenate([rows for rows, _ in batches])) == list(range(101))
    for rows, tokens in batches:
        for row, padded in zip(rows, tokens, strict=False):
            np.testing.assert_array_equal(padded[padded != PADDING], sequences[row])
            assert (padded[len(sequences[row]) :] == PADDING).all()
        assert (tokens[len(rows) :] == PADDING).all()


def test_lengths_are_the_shortest_that_hold_a_text():
    lengths = [tokenization.padded_length(length, 20) for length in (2, 16, 17, 20)]
    assert lengths == [16, 16, 20, 20]
    assert tokenization.padded_length(3, 10) == 10


def test_a_folder_without_a_tokenizer_is_an_error(folder):
    (folder / "vocab.txt").unlink()
    with pytest.raises(text.CheckpointError, match=r"has neither tokenizer\.json nor vocab\.txt"):
        tokenization.load_tokenizer(folder)


@pytest.mark.parametrize("content", ["{", '{"version": "1.0"}'])
def test_a_damaged_tokenizer_is_an_error(folder, content):
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(text.CheckpointError, match="the tokenizer cannot be read"):
        tokenization.load_tokenizer(folder)

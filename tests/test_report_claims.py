import pytest
import scripts

from paper import claims

CLAIM = 'number = 1\nsource = "Eq. 1"\ntext = "a | b"\nexperiment = "counting"\n'
HOLDS = '[[claim.judgements]]\nverdict = "holds"\nfigures = "2"\nevidence = ["a.jsonl", "b"]\n'
UNTESTED = '[[claim.judgements]]\nverdict = "not tested yet"\nmissing = "time"\n'


def load(tmp_path, *content):
    (tmp_path / "claims.toml").write_text("".join(["[[claim]]\n", *content]))
    return claims.load_claims(tmp_path / "claims.toml")


def of_form(judgement, form):
    return judgement + f'forms = ["{form}"]\n'


def test_there_are_sixteen_claims_and_what_they_rest_on_is_there():
    loaded = claims.load_claims(scripts.ROOT / "results" / "claims.toml")
    assert len(loaded) == 16
    paths = [path for claim in loaded for judgement in claim.judgements for path in judgement.evidence]
    assert paths
    assert [path for path in paths if not (scripts.ROOT / path).exists()] == []


def test_claims_are_read_with_their_judgements(tmp_path):
    (claim,) = load(tmp_path, CLAIM, of_form(HOLDS, "tree"), of_form(UNTESTED, "pairwise"))
    assert claim[:4] == (1, "Eq. 1", "a | b", "counting")
    assert claim.judgements == (
        claims.Judgement("holds", ("tree",), figures="2", evidence=("a.jsonl", "b")),
        claims.Judgement("not tested yet", ("pairwise",), missing="time"),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((CLAIM,), "claim 1: give one judgement"),
        ((CLAIM, HOLDS, of_form(UNTESTED, "tree")), "claim 1: give one judgement"),
        ((CLAIM, of_form(HOLDS, "tree"), of_form(HOLDS, "tree")), "claim 1: give one judgement"),
        ((CLAIM, of_form(HOLDS, "forest")), "forms holds 'forest'"),
        ((CLAIM, HOLDS.replace("holds", "true")), "verdict='true' must be one of holds, does not hold, in part"),
        ((CLAIM, HOLDS.replace('"2"', '""')), "verdict='holds' needs figures and evidence"),
        ((CLAIM, UNTESTED.replace("time", "")), "verdict='not tested yet' needs missing"),
        ((CLAIM, UNTESTED, 'figures = "2"\nevidence = ["a"]\n'), "verdict='not tested yet' needs missing"),
        ((CLAIM, HOLDS, 'weight = "2"\n'), "weight"),
        (('color = "red"\n', CLAIM, HOLDS), "color"),
        ((CLAIM.replace("= 1", "= 2"), HOLDS), "claim 1 has number=2"),
        ((CLAIM.replace('source = "Eq. 1"\n', ""), HOLDS), "source"),
        (("number = \n",), "TOML|Invalid value"),
        ((CLAIM.replace('"Eq. 1"', "1"), HOLDS), r"claims\.toml: claim 1: source=1 must be a text"),
        ((CLAIM, HOLDS.replace('"2"', "2")), r"claims\.toml: claim 1: figures=2 must be a text"),
        ((CLAIM, HOLDS, "forms = 3\n"), r"claims\.toml: claim 1: forms=3 must be a list of texts"),
    ],
)
def test_claims_that_say_too_little_or_too_much_are_errors(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, *content)


@pytest.mark.parametrize("content", ["", "claim = 3\n", "[claim]\nnumber = 1\n"])
def test_a_file_without_claims_is_an_error(content, tmp_path):
    (tmp_path / "claims.toml").write_text(content)
    with pytest.raises(ValueError, match="holds no claims"):
        claims.load_claims(tmp_path / "claims.toml")

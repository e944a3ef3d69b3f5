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


def test_the_table_replaces_what_stands_between_the_marks(tmp_path):
    loaded = load(tmp_path, CLAIM, of_form(HOLDS, "tree"), of_form(UNTESTED, "pairwise"))
    text = f"before\n{claims.BEGIN}\nold\n{claims.END}\nafter\n"
    inserted = claims.insert_claims(text, loaded)
    assert inserted == (
        f"before\n{claims.BEGIN}\n"
        "|  | claim | tested by | LBB | verdict | figures | rests on |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| 1 | a \\| b (Eq. 1) | counting | tree | holds | 2 | a.jsonl, b |\n"
        "|  |  |  | pairwise | not tested yet | missing: time |  |\n"
        f"{claims.END}\nafter\n"
    )
    assert claims.insert_claims(inserted, loaded) == inserted


@pytest.mark.parametrize("text", ["", claims.BEGIN, f"{claims.END}{claims.BEGIN}", f"{claims.BEGIN}{claims.END}" * 2])
def test_a_text_without_the_marks_is_an_error(text, tmp_path):
    with pytest.raises(ValueError, match="must have the lines"):
        claims.insert_claims(text, load(tmp_path, CLAIM, HOLDS))


def test_the_script_writes_the_table(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{claims.BEGIN}\n{claims.END}\n")
    assert scripts.run("claims.py", f"--readme={readme}").returncode == 0
    assert readme.read_text().count("\n| ") > 16
    readme.write_text("nothing")
    assert scripts.run("claims.py", f"--readme={readme}").returncode == 1
    assert readme.read_text() == "nothing"

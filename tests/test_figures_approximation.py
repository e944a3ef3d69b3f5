import numpy as np
import pytest

from paper.approximation import figures

SOURCE = {"source": "digits, MC dropout, 50 labels", "reduced": "100 base images"}


def measurement(kind, *, b, K=4, C=3, seed=0, pairs=1.0, total=0.5, **fields):
    return SOURCE | {
        "measurement": kind,
        "seed": seed,
        "repetition": 0,
        "b": b,
        "K": K,
        "C": C,
        "is_exact": b <= 6,
        "total_correlation": total,
        "joint_information": 0.8,
        "standard_error": 0.0 if b <= 6 else 0.01,
        "sum_of_bald": total + 0.8,
        "pairs_once": pairs,
        "pairs_twice": 2 * pairs,
        "tree": 0.4,
        "released": -3.0,
        **fields,
    }


def approximations():
    sizes = [(2, 4, 3), (6, 4, 3), (20, 4, 3), (6, 2, 3), (20, 2, 3), (6, 4, 2)]
    return [
        measurement("approximation", b=b, K=K, C=C, seed=seed, batch=kind, pairs=b / 2 + seed)
        for kind in ("highest BALD", "random points")
        for b, K, C in sizes
        for seed in (0, 1)
    ]


def picks():
    return [
        measurement("picks", b=b, variant=variant, overlap=overlap, pairs=b, total=total)
        for variant, overlap, total in (("BatchBALD", 1.0, 0.5), ("PowerBALD, α = 5", 0.25, 0.004))
        for b in (2, 10)
    ]


def test_approximations_are_drawn_against_size_draws_and_classes():
    figure = figures.approximation_error(approximations())
    panels = np.reshape(figure.axes, (2, 3))
    assert [axes.get_xlabel() for axes in panels[0]] == [
        "batch size",
        "draws (b = 6)",
        "classes, neighbours merged (b = 6)",
    ]
    assert [axes.get_title() for axes in panels[:, 0]] == ["highest BALD", "random points"]
    lines = {line.get_label(): line for line in panels[0, 0].lines}
    assert list(lines["pairs once"].get_xdata()) == [2, 6, 20]
    assert list(lines["pairs once"].get_ydata()) == [1.5, 3.5, 10.5]
    assert list(lines["pairs twice (as printed)"].get_ydata()) == [3, 7, 21]
    assert set(lines["released code"].get_ydata()) == {-3}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["pairs twice (as printed)", "pairs once", "tree", "released code", "total correlation"]
    assert figure.get_suptitle() == (
        "digits, MC dropout, 50 labels (median of 2 seeds; sampled above b = 6)\nreduced: 100 base images"
    )


def test_what_does_not_vary_has_no_panels():
    records = [record for record in approximations() if record["C"] == 3]
    assert [axes.get_xlabel() for axes in figures.approximation_error(records).axes[:2]] == [
        "batch size",
        "draws (b = 6)",
    ]
    whole = [record for record in records if record["K"] == 4 and record["b"] <= 6]
    figure = figures.approximation_error(whole)
    assert len(figure.axes) == 2
    assert "sampled" not in figure.get_suptitle()


def test_a_ratio_to_next_to_nothing_is_not_drawn():
    figure = figures.approximation_of_picks(picks())
    for axes, expected in zip(figure.axes, ([4, 20], [0.8, 0.8]), strict=True):
        lines = {line.get_label(): line for line in axes.lines}
        assert "PowerBALD, α = 5" not in lines
        assert list(lines["BatchBALD"].get_ydata()) == expected


def test_joint_information_and_overlap_have_a_line_for_every_variant():
    figure = figures.joint_information(picks())
    information, overlap = figure.axes
    assert [line.get_label() for line in information.lines] == ["BatchBALD", "PowerBALD, α = 5", "log 4"]
    assert information.lines[-1].get_ydata()[0] == pytest.approx(np.log(4))
    assert [list(line.get_ydata()) for line in overlap.lines] == [[1, 1], [0.25, 0.25]]


def test_rank_correlations_are_drawn_for_every_quantity_and_seed():
    records = [
        SOURCE
        | {
            "measurement": "released_score",
            "seed": seed,
            "agreement": {"BALD": 0.5 + 0.2 * seed, "EPIG": None},
            "size_of_agreement": {"BALD": 0.9, "EPIG": 0.9},
            "score": {"BALD": 1.0, "EPIG": 0.0},
        }
        for seed in (0, 1)
    ]
    agreement, _, score = figures.released_score(records).axes
    assert [label.get_text() for label in agreement.get_yticklabels()] == ["BALD", "EPIG"]
    assert list(agreement.lines[0].get_xdata()) == [0.5, 0.7]
    assert agreement.lines[1].get_xdata() == pytest.approx(0.6)
    assert score.lines[1].get_xdata() == 1.0


def test_measurements_of_several_sources_or_of_none_are_errors():
    with pytest.raises(ValueError, match="measurements of 2 sources"):
        figures.joint_information([*picks(), picks()[0] | {"source": "mnist"}])
    with pytest.raises(ValueError, match="no measurement 'picks'"):
        figures.joint_information(approximations())

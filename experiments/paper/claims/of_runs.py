"""The paper's claims that runs decide, each as the differences that it is about.

"LBB" may stand for three things: Eq. 2.12 ("pairwise"), the tree bound ("tree"), and the score that the paper's code
computed ("released"). Each is judged by itself. Methods that sample use the paper's α = 5.
"""

from collections.abc import Callable

from lbb_jax.analysis.verdicts import Side
from paper.claims.rules import ANY, Measure, Part, Run, RunClaim, area, final, from_labels

ENSEMBLE, DROPOUT = "deep_ensemble", "mc_dropout"
BOTH = (ENSEMBLE, DROPOUT)
_SAMPLED = {"alpha": 5.0}
_FORMS = {
    "pairwise": ("lbb", {"redundancy": "pairwise", "pair_weight": 1.0}, "power_lbb", {}),
    "tree": ("lbb", {"redundancy": "tree"}, "power_lbb", {}),
    "released": ("lbb_released", {"sampling": "top"}, "lbb_released", {"sampling": "power"}),
}
LBB_FORMS = tuple(_FORMS)


def _run(name: str, form: str, posterior: str) -> Run:
    """The run that a name in the paper stands for."""
    lbb, options, power_lbb, sampling = _FORMS[form]
    runs = {
        "LBB": (lbb, options),
        "Power LBB": (power_lbb, {**options, **sampling, **_SAMPLED}),
        "PowerBALD": ("power_bald", _SAMPLED),
        "BALD": ("bald", {}),
        "BatchBALD": ("batch_bald", {}),
        "BADGE": ("badge", {}),
        "random": ("random", {}),
    }
    method, options = runs[name]
    return Run(method, posterior, options)


def _compare(first: str, side: Side, second: str, form: str, posterior: str, measure: Measure = area) -> Part:
    """A part that says where a method stands beside another."""
    words = {Side.ABOVE: "above", Side.BELOW: "below", Side.LEVEL: "level with"}[side]
    kind = {ENSEMBLE: " (ensemble)", DROPOUT: " (MC dropout)", ANY: ""}[posterior]
    terms = ((1.0, _run(first, form, posterior)), (-1.0, _run(second, form, posterior)))
    return Part(f"{first} {words} {second}{kind}", terms, side, measure)


def _of_forms(
    *compared: tuple[str, Side, str], posteriors: tuple[str, ...] = BOTH, measure: Measure = area
) -> dict[str, tuple[Part, ...]]:
    """The same comparisons for each form of LBB and each posterior."""
    return {
        form: tuple(_compare(*names, form, posterior, measure) for posterior in posteriors for names in compared)
        for form in LBB_FORMS
    }


def _join(*parts: dict[str, tuple[Part, ...]]) -> dict[str, tuple[Part, ...]]:
    """Parts of the same claim, put together by form."""
    return {form: sum((of_form.get(form, ()) for of_form in parts), ()) for form in LBB_FORMS}


def _between_posteriors(form: str) -> tuple[Part, ...]:
    """What the paper says of ensembles beside MC dropout."""
    margin = tuple(
        (weight * sign, _run(name, form, posterior))
        for posterior, weight in ((DROPOUT, 1.0), (ENSEMBLE, -1.0))
        for name, sign in (("LBB", 1.0), ("BALD", -1.0))
    )
    more_accurate = tuple(
        Part(
            f"{name}: ensemble above MC dropout",
            ((1.0, _run(name, form, ENSEMBLE)), (-1.0, _run(name, form, DROPOUT))),
            Side.ABOVE,
        )
        for name in ("random", "LBB")
    )
    return (*more_accurate, Part("LBB's margin over BALD wider under MC dropout", margin, Side.ABOVE))


_SMALL = "python experiments/sweep.py --config=configs/{}.py:small"

RUN_CLAIMS = (
    RunClaim(
        6,
        "Fig. 1a, MNIST",
        "LBB is slightly better than BALD and close to BatchBALD",
        ("mnist",),
        _of_forms(("LBB", Side.ABOVE, "BALD"), ("LBB", Side.LEVEL, "BatchBALD")),
        _SMALL.format("mnist"),
        batch_size=10,
    ),
    RunClaim(
        7,
        "Fig. 1a, MNIST",
        "Power LBB and PowerBALD are the best, above BatchBALD, for ensembles and MC dropout",
        ("mnist",),
        _of_forms(
            ("Power LBB", Side.ABOVE, "BatchBALD"),
            ("PowerBALD", Side.ABOVE, "BatchBALD"),
            ("Power LBB", Side.ABOVE, "LBB"),
            ("Power LBB", Side.ABOVE, "random"),
        ),
        _SMALL.format("mnist"),
        batch_size=10,
    ),
    RunClaim(
        8,
        "Fig. 1b, RMNIST",
        "BALD picks near-copies and is below random; LBB is much better, above random from a few hundred labels",
        ("rmnist",),
        _join(
            _of_forms(("BALD", Side.BELOW, "random"), ("LBB", Side.ABOVE, "BALD")),
            _of_forms(("LBB", Side.ABOVE, "random"), measure=final),
        ),
        _SMALL.format("mnist") + ",repeated",
        batch_size=10,
    ),
    RunClaim(
        10,
        "Fig. 1c, FMNIST",
        "Power LBB is above PowerBALD; both are above BatchBALD and BALD, which are level and are the worst",
        ("fashion_mnist",),
        _of_forms(
            ("Power LBB", Side.ABOVE, "PowerBALD"),
            ("Power LBB", Side.ABOVE, "BatchBALD"),
            ("PowerBALD", Side.ABOVE, "BatchBALD"),
            ("PowerBALD", Side.ABOVE, "BALD"),
            ("BALD", Side.LEVEL, "BatchBALD"),
            ("BALD", Side.BELOW, "random"),
        ),
        _SMALL.format("fashion_mnist"),
        batch_size=10,
    ),
    RunClaim(
        11,
        "Fig. 2c, SVHN",
        "Power LBB is the best; LBB is level with or above PowerBALD and above BALD and random",
        ("svhn",),
        _of_forms(
            ("Power LBB", Side.ABOVE, "LBB"),
            ("Power LBB", Side.ABOVE, "PowerBALD"),
            ("LBB", Side.ABOVE, "BALD"),
            ("LBB", Side.ABOVE, "random"),
            posteriors=(ENSEMBLE,),
        ),
        "python experiments/sweep.py --config=configs/svhn.py:ensemble",
        batch_size=50,
    ),
    RunClaim(
        12,
        "Fig. 2a and b, RCIFAR-10 and RCIFAR-100",
        "LBB is above BALD; Power LBB is the best",
        ("rcifar10", "rcifar100"),
        _of_forms(
            ("LBB", Side.ABOVE, "BALD"),
            ("Power LBB", Side.ABOVE, "LBB"),
            ("Power LBB", Side.ABOVE, "PowerBALD"),
            posteriors=(ENSEMBLE,),
        ),
        "python experiments/sweep.py --config=configs/cifar10.py:ensemble,repeated "
        "--also=configs/cifar100.py:ensemble,repeated",
        batch_size=100,
    ),
    RunClaim(
        13,
        "Figs. 3, 8 and 9, AG News, b = 10",
        "Power LBB is the best and level with BADGE; LBB is above BALD and BatchBALD",
        ("ag_news",),
        _of_forms(
            ("Power LBB", Side.LEVEL, "BADGE"),
            ("Power LBB", Side.ABOVE, "LBB"),
            ("LBB", Side.ABOVE, "BALD"),
            ("LBB", Side.ABOVE, "BatchBALD"),
            posteriors=(DROPOUT,),
        ),
        "python experiments/sweep.py --config=configs/ag_news.py:frozen,mc_dropout",
        batch_size=10,
    ),
    RunClaim(
        13,
        "Figs. 3, 8 and 9, AG News, b = 50",
        "Power LBB is level with BADGE; LBB is not above BALD and BatchBALD",
        ("ag_news",),
        _of_forms(
            ("Power LBB", Side.LEVEL, "BADGE"),
            ("LBB", Side.LEVEL, "BALD"),
            ("LBB", Side.LEVEL, "BatchBALD"),
            posteriors=(DROPOUT,),
        ),
        "python experiments/sweep.py --config=configs/ag_news.py:frozen,mc_dropout,b=50",
        batch_size=50,
    ),
    RunClaim(
        14,
        "A.3.1",
        "ensembles are more accurate than MC dropout, and LBB's margin over BALD is wider under MC dropout",
        ("mnist", "rmnist", "fashion_mnist"),
        {form: _between_posteriors(form) for form in LBB_FORMS},
        _SMALL.format("mnist"),
        batch_size=10,
    ),
    RunClaim(
        14,
        "A.3.1, MNIST",
        "LBB is above BatchBALD from 200 labels on",
        ("mnist",),
        _of_forms(("LBB", Side.ABOVE, "BatchBALD"), measure=from_labels(200)),
        _SMALL.format("mnist"),
        batch_size=10,
    ),
    RunClaim(
        14,
        "A.3.1, RMNIST and FMNIST",
        "BALD is below random",
        ("rmnist", "fashion_mnist"),
        {
            "": tuple(_compare("BALD", Side.BELOW, "random", "pairwise", posterior) for posterior in BOTH),
        },
        _SMALL.format("mnist") + ",repeated, and configs/fashion_mnist.py:small",
        batch_size=10,
    ),
    RunClaim(
        15,
        "A.4, MNIST and RMNIST",
        "at b = 20 LBB is level with BALD",
        ("mnist", "rmnist"),
        _of_forms(("LBB", Side.LEVEL, "BALD"), posteriors=(ENSEMBLE,)),
        _SMALL.format("mnist") + ",b=20",
        batch_size=20,
    ),
    RunClaim(
        15,
        "A.4, SVHN",
        "at b = 100 LBB is above BALD",
        ("svhn",),
        _of_forms(("LBB", Side.ABOVE, "BALD"), posteriors=(ENSEMBLE,)),
        "python experiments/sweep.py --config=configs/svhn.py:ensemble,b=100",
        batch_size=100,
    ),
    RunClaim(
        15,
        "A.4, RCIFAR-100",
        "at b = 200 LBB is above BALD",
        ("rcifar100",),
        _of_forms(("LBB", Side.ABOVE, "BALD"), posteriors=(ENSEMBLE,)),
        "python experiments/sweep.py --config=configs/cifar100.py:ensemble,repeated,b=200",
        batch_size=200,
    ),
)


def _profiles(compared: Callable[[str], tuple[tuple[str, Side, str], ...]]) -> dict[str, tuple[Part, ...]]:
    return {form: tuple(_compare(*names, form, ANY, final) for names in compared(form)) for form in LBB_FORMS}


# They compare final accuracies: a run is above another if its error is smaller.
PROFILE_CLAIMS = (
    RunClaim(
        16,
        "A.6",
        "performance profiles: LBB is above BALD; the power methods are above all others and level with each other",
        (),
        _profiles(
            lambda form: (
                ("LBB", Side.ABOVE, "BALD"),
                ("Power LBB", Side.ABOVE, "LBB"),
                ("Power LBB", Side.ABOVE, "random"),
                ("PowerBALD", Side.ABOVE, "BALD"),
                ("Power LBB", Side.LEVEL, "PowerBALD"),
            )
        ),
        "python experiments/claims.py",
    ),
)

"""The table of acquisition methods, with one row of facts for each, and the look-up of a user's own method."""

import dataclasses
import functools
import inspect
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from lbb_jax import arguments, entropy, information, references
from lbb_jax.acquisition import checks, exponential_race
from lbb_jax.acquisition.badge import badge
from lbb_jax.acquisition.bait import bait, check_precision
from lbb_jax.acquisition.batch_bald import batch_bald, pick_batch_bald
from lbb_jax.acquisition.batch_epig import batch_epig
from lbb_jax.acquisition.candidates import Stream
from lbb_jax.acquisition.cluster_margin import cluster_margin
from lbb_jax.acquisition.core_set import core_set
from lbb_jax.acquisition.epig import epig, mean_information_about
from lbb_jax.acquisition.large_batch_bald import (
    large_batch_bald,
    pick_lbb,
    pick_power_lbb,
    power_large_batch_bald,
)
from lbb_jax.acquisition.large_batch_bald_released import large_batch_bald_released
from lbb_jax.acquisition.log_det import gains_by_themselves, log_det, pick_log_det
from lbb_jax.acquisition.oracle import oracle
from lbb_jax.acquisition.pointwise import (
    bald,
    least_confident,
    least_confident_score,
    margin,
    margin_score,
    max_entropy,
    power_bald,
    random,
)
from lbb_jax.acquisition.selection import Acquisition, Ranked
from lbb_jax.acquisition.typiclust import typiclust

# Options that mean the same in every method that has them.
_COMMON_CHECKS = {
    "embeddings": checks.check_embeddings,
    "labels": checks.check_labels,
    "targets": checks.check_targets,
    "target_weights": checks.read,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """An acquisition method and its properties.

    Its options are the further arguments of its function. An option that is an array, or a number of NumPy's, is an
    argument of the compiled program; any other value is part of the program and must be hashable. Some names have a
    meaning: the option ``embeddings`` receives ``[N, D]``, and ``targets`` receives predictions ``[T, K, C]``; both are
    checked. The option ``labels`` receives the labels of the pool, ``[N]``, in experiments alone.

    >>> from lbb_jax import acquisition, information
    >>> def first_half(key, log_probs, available, *, batch_size):
    ...     early = available & (jnp.arange(len(available)) < len(available) // 2)
    ...     return acquisition.bald(key, log_probs, early, batch_size=batch_size)
    >>> acquisition.Method(first_half, label="BALD of the first half").name
    'first_half'

    Attributes:
      function: The pure function ``(key, log_probs, available, *, batch_size, **options) -> Acquisition``.
      name: Its name in messages; that of ``function`` if empty.
      label: Its name in figures and tables; ``name`` if empty.
      uses_predictions: Whether its picks depend on ``log_probs`` when all its options are given.
      samples: Whether its picks are random by design, whatever its options.
      stream: How its batch is picked from a pool that is read block by block; None if it is not.
      option_checks: For each option a function ``(name, value) -> value`` that raises ValueError or TypeError.
      values_check: A function ``(options) -> None`` that raises ValueError where values of options do not go together;
        arrays are on the device, in float32.
      idle: For each option that another one can leave without effect: that other option, and its value.
      colours: The colour of each of its names in figures.

    Raises:
      TypeError: If ``function`` cannot be called in this way.
    """

    function: Callable[..., Acquisition]
    name: str = ""
    label: str = ""
    uses_predictions: bool = True
    samples: bool = False
    stream: Stream | None = None
    option_checks: Mapping[str, checks.OptionCheck] = dataclasses.field(default_factory=dict)
    values_check: Callable[[Mapping[str, Any]], None] = lambda options: None
    idle: Mapping[str, tuple[str, Any]] = dataclasses.field(default_factory=dict)
    colours: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        name = self.name or getattr(self.function, "__name__", type(self.function).__name__)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "label", self.label or name)
        try:
            required = {option: None for option, default in self.options.items() if default is inspect.Parameter.empty}
            self._signature.bind(None, None, None, batch_size=1, **required)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"method={name}: must be a function (key, log_probs, available, *, batch_size, **options) ({error})"
            ) from error

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """The names of its options and their defaults, `inspect.Parameter.empty` where there is none."""
        parameters = list(self._signature.parameters.values())
        named = [value for value in parameters if value.kind is value.KEYWORD_ONLY]
        named += [value for value in parameters[3:] if value.kind is value.POSITIONAL_OR_KEYWORD]
        return {value.name: value.default for value in named if value.name != "batch_size"}

    @property
    def uses_labels(self) -> bool:
        """Whether it takes the ``labels[N]`` of the pool, which only a simulation knows."""
        return "labels" in self.options

    @property
    def uses_embeddings(self) -> bool:
        """Whether it takes ``embeddings[N, D]`` of the pool."""
        return "embeddings" in self.options

    def samples_with(self, options: Mapping[str, Any]) -> bool:
        """Whether its picks are random by design with these options."""
        return self.samples or ("sampling" in self.options and options.get("sampling", "top") != "top")

    def check(self, option: str, value: Any) -> Any:
        """The value of an option, checked. None is allowed where it is the default."""
        if value is None and self.options[option] is None:
            return None
        return {**_COMMON_CHECKS, **self.option_checks}.get(option, checks.check_array_or_hashable)(option, value)


def _pick_lbb(_: jax.Array, __: jax.Array, *pool: jax.Array, **options: Any) -> Ranked:
    if options.pop("order") == 3 and options["redundancy"] == "pairwise":
        raise ValueError("order=3: is not streamed, since no bound of its gains is known; use acquire")
    return pick_lbb(*pool, **options)


def _pick_power_lbb(
    key: jax.Array, points: jax.Array, log_probs: jax.Array, *mask: jax.Array, **options: Any
) -> Ranked:
    variates = exponential_race.variates(key, points, log_probs.dtype)
    return pick_power_lbb(variates, log_probs, *mask, **options)


def _pick_log_det(_: jax.Array, __: jax.Array, *pool: jax.Array, batch_size: int) -> Ranked:
    return pick_log_det(*pool, batch_size=batch_size)


def _pick_batch_bald(key: jax.Array, _: jax.Array, *pool: jax.Array, **options: Any) -> Ranked:
    picks = pick_batch_bald(key, *pool, **options)
    return Ranked(picks.acquisition, picks.acquisition.scores, picks.most_per_bald)


def _of_predictions(score: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    """``(log_probs[n, K, C], **options) -> [n]`` of a score that no option changes."""
    return lambda log_probs, **options: score(log_probs)


_bald_scores = _of_predictions(information.mutual_information)
_OPTION_CHECKS = {
    "alpha": checks.check_alpha,
    "candidates_per_pick": arguments.check_positive_integer,
    "mean_cluster_size": arguments.check_positive_integer,
    "num_samples": arguments.check_positive_integer,
    "num_targets": arguments.check_positive_integer,
    "order": checks.check_order,
    "pair_weight": checks.check_pair_weight,
    "pairs": checks.check_pairs,
    "redundancy": checks.check_redundancy,
    "regularizer": checks.check_above_0,
    "sampling": checks.check_sampling,
}
_row = functools.partial(Method, option_checks=_OPTION_CHECKS)
# The top scores leave alpha without effect, and the tree has no sum over pairs or triples.
_by_score = functools.partial(_row, idle={"alpha": ("sampling", "top")})
_by_redundancy = functools.partial(_row, idle={"pair_weight": ("redundancy", "tree"), "order": ("redundancy", "tree")})

# Colours: Paul Tol's "muted" scheme, with a dark grey for the baseline; then his "vibrant" scheme and black; then
# colours of his "dark" and "medium contrast" schemes and a yellow of Okabe and Ito's that are far from these.
METHODS: dict[str, Method] = {
    row.name: row
    for row in (
        _row(
            random,
            label="Random",
            uses_predictions=False,
            samples=True,
            # Equal scores are equally likely.
            stream=Stream(
                _of_predictions(lambda log_probs: jnp.zeros(len(log_probs), log_probs.dtype)), sampling="softmax"
            ),
            colours={"Random": "#666666"},
        ),
        _by_score(
            least_confident,
            label="Least confident",
            stream=Stream(_of_predictions(least_confident_score)),
            colours={"Least confident": "#DDCC77"},
        ),
        _by_score(margin, label="Margin", stream=Stream(_of_predictions(margin_score)), colours={"Margin": "#F0E442"}),
        _by_score(
            max_entropy,
            name="entropy",
            label="Entropy",
            stream=Stream(_of_predictions(entropy.marginal_entropy)),
            colours={"Entropy": "#999933"},
        ),
        _by_score(bald, label="BALD", stream=Stream(_bald_scores), colours={"BALD": "#CC6677"}),
        _row(
            power_bald,
            label="PowerBALD",
            samples=True,
            stream=Stream(_bald_scores, sampling="power"),
            colours={"PowerBALD": "#882255"},
        ),
        _row(
            batch_bald,
            label="BatchBALD",
            stream=Stream(_bald_scores, _pick_batch_bald),
            colours={"BatchBALD": "#AA4499"},
        ),
        _by_redundancy(
            large_batch_bald,
            name="lbb",
            label="LBB",
            stream=Stream(_bald_scores, _pick_lbb),
            colours={"LBB (pairwise)": "#88CCEE", "LBB (tree)": "#332288"},
        ),
        _by_redundancy(
            power_large_batch_bald,
            name="power_lbb",
            label="Power LBB",
            samples=True,
            stream=Stream(_bald_scores, _pick_power_lbb, sampling="power"),
            colours={"Power LBB (pairwise)": "#44AA99", "Power LBB (tree)": "#117733"},
        ),
        _row(
            log_det,
            label="Log-det",
            stream=Stream(_of_predictions(gains_by_themselves), _pick_log_det),
            colours={"Log-det": "#EE3377"},
        ),
        _by_score(
            large_batch_bald_released,
            name="lbb_released",
            label="LBB (released)",
            colours={"LBB (released)": "#0077BB", "Power LBB (released)": "#000000"},
        ),
        _by_score(
            epig,
            label="EPIG",
            stream=Stream(
                lambda log_probs, *, targets, target_weights, **options: mean_information_about(
                    log_probs, targets, target_weights
                ),
                needs=("targets",),
            ),
            colours={"EPIG": "#EE7733", "Power EPIG": "#CC3311"},
        ),
        _row(batch_epig, label="Batch EPIG", colours={"Batch EPIG": "#DDAA33"}),
        _row(core_set, label="Core-set", uses_predictions=False, colours={"Core-set": "#663333"}),
        _row(badge, label="BADGE", samples=True, colours={"BADGE": "#6699CC"}),
        _row(bait, label="BAIT", values_check=check_precision, colours={"BAIT": "#004488"}),
        _row(cluster_margin, label="Cluster-Margin", samples=True, colours={"Cluster-Margin": "#225555"}),
        _row(typiclust, label="TypiClust", uses_predictions=False, samples=True, colours={"TypiClust": "#BBBBBB"}),
    )
}


# Not among `METHODS`: it sees the labels that it asks for. A configuration names it "lbb_jax.acquisition:ORACLE".
ORACLE = Method(
    oracle,
    label="Oracle",
    samples=True,
    option_checks={
        "num_candidates": arguments.check_positive_integer,
        "num_held_out": arguments.check_positive_integer,
        "prior_precision": checks.check_above_0,
    },
)


def find_method(method: str | Callable[..., Acquisition] | Method) -> Method:
    """The row of a method.

    Args:
      method: A name in `METHODS`; ``"module:attribute"`` of a function or `Method` that can be imported; a function
        ``(key, log_probs, available, *, batch_size, **options) -> Acquisition``; or a `Method`.

    Raises:
      ValueError: For anything else; the message lists what is allowed.
      TypeError: For a function that cannot be called with the arguments of a method.
    """
    found = references.load(method, f"method={method!r}") if references.is_reference(method) else method
    if isinstance(found, Method):
        return found
    if isinstance(found, str) and found in METHODS:
        return METHODS[found]
    if callable(found):
        return next((row for row in METHODS.values() if row.function is found), None) or Method(found)
    raise ValueError(
        f"method={method!r}: must be one of {', '.join(map(repr, METHODS))}; or a function (key, log_probs, available, "
        '*, batch_size, **options), an acquisition.Method, or "module:attribute" of one of these'
    )


def check_options(method: str | Callable[..., Acquisition] | Method, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``method``, each checked.

    Raises:
      ValueError: As `find_method`; for an option that the method does not have, or a value out of range.
      TypeError: For a value of the wrong kind.
    """
    row = find_method(method)
    for name in options:
        if name not in row.options:
            has = f"has the options {', '.join(row.options)}" if row.options else "has no options"
            raise ValueError(f"{name}={reprlib.repr(options[name])}: method {row.name!r} {has}")
    checked = {name: row.check(name, value) for name, value in options.items()}
    if checked.get("targets") is not None and "num_targets" in checked:
        raise ValueError(
            f"num_targets={checked['num_targets']}: is the number of targets drawn from the pool; leave it out with "
            "targets=..., all of which are used"
        )
    return checked


def options_with_effect(method: str | Callable[..., Acquisition] | Method, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The ``fields`` that are options of ``method``, except those that another field leaves without effect.

    >>> options_with_effect("power_lbb", {"alpha": 5.0, "redundancy": "tree", "pair_weight": 1.0, "sampling": "top"})
    {'alpha': 5.0, 'redundancy': 'tree'}

    Args:
      method: As `find_method` takes it.
      fields: Values by name, of any options.

    Raises:
      ValueError: As `find_method`.
    """
    row = find_method(method)
    options = {name: fields[name] for name in row.options if name in fields}
    return {
        name: value
        for name, value in options.items()
        if name not in row.idle or options.get(row.idle[name][0]) != row.idle[name][1]
    }


def complete_options(row: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a method: those given, checked, and the defaults of its function for the others.

    Raises:
      ValueError: As `check_options`; also for an option without a default that is not given.
      TypeError: For a value of the wrong kind.
    """
    checked = check_options(row, options)
    for name, default in row.options.items():
        if name not in checked and default is inspect.Parameter.empty:
            what = {"embeddings": "[N, D], one row for each point of log_probs", "targets": "[T, K, C]"}.get(name, "")
            such_as = ", such as the inputs of your network's last layer" if name == "embeddings" else ""
            raise ValueError(f"{name}: not given; method {row.name!r} needs {name}{what}; pass {name}=...{such_as}")
    return {name: checked[name] if name in checked else row.check(name, row.options[name]) for name in row.options}

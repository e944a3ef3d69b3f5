"""The ranges of arguments and fields, declared once: in the signature of the function or class that takes them::

    @checked
    def adam_steps(*, num_steps: Count, learning_rate: Positive): ...

`of` reads the ranges from such a signature, and `check` checks values against them, under the names that a user knows.
`checked` does both whenever the function is called.
"""

import dataclasses
import functools
import inspect
import math
import numbers
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, ParamSpec, TypeVar


class Range(NamedTuple):
    """What a value may be.

    Attributes:
      kind: Its kind, in words: "an integer".
      is_of_kind: Whether a value is of that kind.
      bounds: What values of that kind are allowed, in words: "at least 1"; empty for all.
      is_within: Whether a value of that kind is allowed.
    """

    kind: str
    is_of_kind: Callable[[Any], bool]
    bounds: str = ""
    is_within: Callable[[Any], bool] = lambda value: True


def is_integer(value: Any) -> bool:
    """Whether ``value`` is an integer; a bool is none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether ``value`` is a real number; a bool is none, NaN and infinity are."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether a real number is finite as a float; an integer can be too large."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def number(bounds: str, is_within: Callable[[Any], bool]) -> Range:
    """A finite number within bounds."""
    return Range("a number", is_number, bounds, lambda value: is_finite(value) and is_within(value))


def integer(bounds: str, is_within: Callable[[Any], bool]) -> Range:
    """An integer within bounds."""
    return Range("an integer", is_integer, bounds, is_within)


def choice(*names: str, more: str = "") -> Range:
    """One of some names; ``more`` says in a message what else there is."""
    bounds = f"one of {', '.join(map(repr, names))}" + (f", or {more}" if more else "")
    return Range("a text", _is_text, bounds, lambda value: value in names)


def optional(allowed: Range) -> Range:
    """None, or what ``allowed`` allows."""
    return Range(
        f"None or {allowed.kind}",
        lambda value: value is None or allowed.is_of_kind(value),
        allowed.bounds,
        lambda value: value is None or allowed.is_within(value),
    )


def several(kind: str, allowed: Range, bounds: str, is_within: Callable[[Sequence[Any]], bool]) -> Range:
    """A tuple or list of what ``allowed`` allows.

    Args:
      kind: What it is, in words: "a tuple of integers".
      allowed: What each entry may be.
      bounds: What is allowed, in words, of the entries and of all together.
      is_within: Whether entries, each of which is allowed, are allowed together.
    """
    return Range(
        kind,
        lambda value: isinstance(value, tuple | list) and all(map(allowed.is_of_kind, value)),
        bounds,
        lambda value: all(map(allowed.is_within, value)) and is_within(value),
    )


_AT_LEAST_1 = integer("at least 1", lambda value: value >= 1)
_RATE = number("at least 0 and below 1", lambda value: 0 <= value < 1)

Count = Annotated[int, _AT_LEAST_1]
OptionalCount = Annotated[int | None, optional(_AT_LEAST_1)]
NotNegativeCount = Annotated[int, integer("at least 0", lambda value: value >= 0)]
Rate = Annotated[float, _RATE]
Share = Annotated[float, number("above 0 and below 1", lambda value: 0 < value < 1)]
Positive = Annotated[float, number("above 0 and finite", lambda value: value > 0)]
NotNegative = Annotated[float, number("at least 0 and finite", lambda value: value >= 0)]
Switch = Annotated[bool, Range("True or False", lambda value: isinstance(value, bool))]
Text = Annotated[str, Range("a text", _is_text, "not empty", bool)]
Counts = Annotated[
    Sequence[int], several("a tuple of integers", _AT_LEAST_1, "at least one, each of them at least 1", bool)
]
RisingCounts = Annotated[
    Sequence[int],
    several("a tuple of integers", _AT_LEAST_1, "at least 1 and rising", lambda value: sorted(set(value)) == [*value]),
]
ThreeRates = Annotated[
    tuple[float, float, float],
    several("a tuple of numbers", _RATE, "three, each of them at least 0 and below 1", lambda value: len(value) == 3),
]
FourRates = Annotated[
    tuple[float, float, float, float],
    several("a tuple of numbers", _RATE, "four, each of them at least 0 and below 1", lambda value: len(value) == 4),
]


def parameters(make: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a function, or of a class that is called, by name."""
    function = _function(make)
    found = dict(inspect.signature(function).parameters)
    if function is not make and inspect.isclass(make):
        del found[next(iter(found))]
    return found


def _function(make: Callable[..., Any]) -> Callable[..., Any]:
    """The callable that has the signature of ``make``, which a metaclass may hide in a class that is no dataclass."""
    is_plain_class = inspect.isclass(make) and not dataclasses.is_dataclass(make)
    return make.__init__ if is_plain_class else make


# What an annotation of Python's own allows.
_PLAIN = {
    bool: Range("True or False", lambda value: isinstance(value, bool)),
    int: Range("an integer", is_integer),
    float: Range("a number", is_number),
    str: Range("a text", _is_text),
}


@functools.cache
def of(declared: Any, *, plain: bool = False) -> Mapping[str, Range]:
    """The ranges that the annotations of a function, a class or a TypedDict declare, by the name of the argument.

    Args:
      declared: The function or class.
      plain: Whether ``bool``, ``int``, ``float`` and ``str``, alone or with ``None``, count as ranges.
    """
    if plain:
        declared = _function(declared)
    try:
        hints = typing.get_type_hints(declared, include_extras=True)
    except (NameError, TypeError):
        # A user's annotations may name types that exist only for a type checker.
        hints = getattr(declared, "__annotations__", {})
    found = {name: _range(hint, plain) for name, hint in hints.items() if name != "return"}
    return {name: allowed for name, allowed in found.items() if allowed is not None}


def _range(hint: Any, plain: bool) -> Range | None:
    if plain and isinstance(hint, type):
        return _PLAIN.get(hint)
    alternatives = typing.get_args(hint)
    if plain and len(alternatives) == 2 and type(None) in alternatives:
        inner = _range(next(other for other in alternatives if other is not type(None)), plain)
        return inner and optional(inner)
    return next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Range)), None)


def check(ranges: Mapping[str, Range], values: Mapping[str, Any], *, prefix: str = "") -> None:
    """Checks values against their ranges; a value without a range may be anything.

    Args:
      ranges: By name, as `of` returns them.
      values: By name.
      prefix: What stands before a name in a message, such as ``"config.network."``.

    Raises:
      TypeError: For the first value that is of another kind; the message names it and what is allowed.
      ValueError: For the first value that is out of bounds.
    """
    for name, value in values.items():
        allowed = ranges.get(name)
        if allowed is None:
            continue
        if not allowed.is_of_kind(value):
            bounds = f", {allowed.bounds}" if allowed.bounds else ""
            raise TypeError(f"{prefix}{name}={value!r}: must be {allowed.kind}{bounds}")
        if not allowed.is_within(value):
            raise ValueError(f"{prefix}{name}={value!r}: must be {allowed.bounds}")


_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def checked(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """``function``, whose arguments are checked against the ranges in its signature when it is called."""

    @functools.wraps(function)
    def call(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        check(of(function), inspect.signature(function).bind(*arguments, **options).arguments)
        return function(*arguments, **options)

    return call

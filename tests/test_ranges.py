import dataclasses

import numpy as np
import pytest

from lbb_jax import ranges
from lbb_jax.ranges import Count, Counts, OptionalCount, Positive, Rate, RisingCounts, Switch, Text, ThreeRates


@dataclasses.dataclass
class Declared:
    count: Count
    optional: OptionalCount
    positive: Positive
    rate: Rate
    switch: Switch
    text: Text
    counts: Counts
    rising: RisingCounts
    three: ThreeRates
    anything: object = None


RANGES = ranges.of(Declared)
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "allowed", "out_of_bounds", "of_another_kind"),
    [
        ("count", [1, np.int64(7)], [0, -3], [True, 1.0, "1", None, [1]]),
        ("optional", [None, 1], [0], [0.5, "None"]),
        ("positive", [1, 1e-9, np.float32(2)], [0, -1.0, NAN, INFINITY], ["1", None, True]),
        ("rate", [0, 0.0, 0.999], [1, 1.5, -0.5, NAN], ["0.5", None, (0.5,)]),
        ("switch", [True, False], [], [1, 0, "True", None]),
        ("text", ["minilm"], [""], [None, 7]),
        ("counts", [(128,), [3, 4]], [(), (0,), (-4,), (3, 0)], [128, ("abc",), "12", None, (2.5,)]),
        ("rising", [(), (25, 40)], [(40, 25), (1, 1), (0, 3)], [25, (2.5,)]),
        ("three", [(0.5, 0.5, 0)], [(0.5, 0.5), (0.5, 0.5, 1)], [0.5, (0.5, 0.5, "0.5")]),
        ("anything", [None, NAN, ()], [], []),
    ],
)
def test_values_are_held_against_their_annotations(name, allowed, out_of_bounds, of_another_kind):
    for value in allowed:
        ranges.check(RANGES, {name: value})
    for values, error in ((out_of_bounds, ValueError), (of_another_kind, TypeError)):
        for value in values:
            with pytest.raises(error, match=rf"^config\.{name}=.*: must be "):
                ranges.check(RANGES, {name: value}, prefix="config.")


def test_a_message_has_the_name_the_value_and_what_is_allowed():
    with pytest.raises(ValueError, match=r"^network\.rate=1\.5: must be at least 0 and below 1$"):
        ranges.check(RANGES, {"rate": 1.5}, prefix="network.")
    with pytest.raises(TypeError, match=r"^rate='a': must be a number, at least 0 and below 1$"):
        ranges.check(RANGES, {"rate": "a"})


def test_functions_declare_ranges_too_and_annotations_that_cannot_be_resolved_none():
    def function(size: Count, other: int, unknown: "NoSuchName" = None):  # noqa: F821
        pass

    assert ranges.of(function).keys() == {"size"}

import jax
import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from lbb_jax import analysis, examples, figures


def pool(shape=(2, 2, 1)):
    """Eight base examples in two copies; the pixels of each hold its number, its label is its number modulo 3."""
    features = np.broadcast_to(np.arange(8, dtype=np.uint8).reshape(8, *[1] * len(shape)), (8, *shape))
    created = examples.create(features, np.arange(8) % 3, mean=0.0, std=1.0)
    return examples.repeat(jax.random.key(0), created, copies=2, noise=0.0)


def acquired(**batches):
    """What variants acquired in their only round: ``{variant: indices}``."""
    rows = [
        {
            "dataset": "rdigits",
            "encoder": "",
            "network": "mlp",
            "posterior": "deep_ensemble",
            "batch_size": 3,
            "reduced": "8 base images",
            "variant": variant,
            "seed": 0,
            "round": 0,
            "labels": 20,
            "order": order,
            "index": index,
            "gain": 0.5,
        }
        for variant, indices in batches.items()
        for order, index in enumerate(indices)
    ]
    return pd.DataFrame(rows)


def test_every_image_stands_in_its_place_with_its_label():
    figure = figures.acquired_images(acquired(Random=[3, 9, 15], BALD=[1, 2, 9]), pool(), num_images=3)
    panels = np.reshape(figure.axes, (2, 3))
    shown = [[int(axes.images[0].get_array()[0, 0]) for axes in row] for row in panels]
    assert shown == [[3, 1, 7], [1, 2, 1]]
    assert [[axes.get_title() for axes in row] for row in panels] == [["0", "1", "1"], ["1", "2", "1"]]
    assert [row[0].texts[0].get_text() for row in panels] == ["Random", "BALD"]


def test_a_copy_of_an_image_to_its_left_has_a_frame_and_the_title_says_so():
    figure = figures.acquired_images(acquired(Random=[3, 9, 15], BALD=[1, 2, 9]), pool(), num_images=3)
    assert [axes.axison for axes in figure.axes] == [False] * 5 + [True]
    title = figure.get_suptitle()
    assert title.startswith(
        "rdigits, MLP, deep ensemble, batches of 3 (first 3 picks of seed 0)\nreduced: 8 base images"
    )
    assert title.endswith("framed: a copy of an image further to the left")
    without = figures.acquired_images(acquired(Random=[3, 9, 15]), pool(), num_images=3)
    assert "framed" not in without.get_suptitle()


def test_images_in_colour_are_shown_in_colour_and_missing_picks_leave_room():
    figure = figures.acquired_images(acquired(Random=[3]), pool((2, 2, 3)), num_images=2)
    assert figure.axes[0].images[0].get_array().shape == (2, 2, 3)
    assert not figure.axes[1].images


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool": pool((5,))}, r"features of shape \(5,\): must be images"),
        ({"seed": 4}, r"seed=4: acquired nothing; there are the seeds \[0\]"),
    ],
)
def test_what_cannot_be_shown_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.acquired_images(acquired(Random=[3]), **{"pool": pool(), **arguments})


def test_the_diversity_of_batches_has_a_line_for_every_variant_in_both_panels():
    diversity = analysis.batch_diversity(acquired(Random=[3, 9, 15], BALD=[1, 2, 9]), pool())
    figure = figures.batch_diversity(diversity)
    distinct, classes = figure.axes
    assert [line.get_ydata()[0] for line in distinct.lines] == pytest.approx([1, 2 / 3])
    # Labels 0, 1, 1 and 1, 2, 1: both two of one class and one of another; at best all three differ.
    entropy = np.log(3) - 2 / 3 * np.log(2)
    assert [line.get_ydata()[0] for line in classes.lines] == pytest.approx([entropy, entropy, np.log(3)])
    assert matplotlib.colors.to_hex(distinct.lines[1].get_color()).upper() == figures.COLOURS["BALD"]
    assert figure.get_suptitle().endswith("(1 seed)\nreduced: 8 base images")

"""From a name and fields to an object: the networks, trainings, posteriors and data sets that a configuration names.

A name is either built in (a row of a table below) or ``"module:attribute"``: the user's own function or class in a
module that Python can import. The other fields of the configuration's section are its arguments, checked against its
signature before anything is loaded. The tables hold references alone, so that reading them imports nothing.
"""

import contextlib
import inspect
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lbb_jax import ranges, references
from lbb_jax.errors import ExperimentError
from lbb_jax.ranges import Range


class Component(NamedTuple):
    """A row of a table: a built-in component that a configuration can name.

    Attributes:
      reference: ``"module:attribute"``.
      title: Its name in figures and tables; for a training, its length, with fields in braces.
      arguments: Arguments that are the same in every configuration.
    """

    reference: str
    title: str
    arguments: Mapping[str, Any] = types.MappingProxyType({})


NETWORKS = {
    "mlp": Component("lbb_jax.networks:MLP", "MLP"),
    "linear": Component("lbb_jax.networks:Linear", "linear classifier"),
    "convolutional": Component("lbb_jax.networks:ConvolutionalClassifier", "CNN"),
    "emnist_convolutional": Component("lbb_jax.networks:EMNISTConvolutionalClassifier", "CNN"),
    "resnet18": Component("lbb_jax.networks:ResNet18", "ResNet-18"),
    "text_classifier": Component("lbb_jax.networks:TextClassifier", "fine-tuned encoder"),
}
TRAININGS = {
    "fixed_steps": Component("lbb_jax.training:adam_steps", "{num_steps} training steps"),
    "epochs": Component("lbb_jax.training:epochs", "{num_epochs} training epochs"),
    "full_batch": Component("lbb_jax.training:full_batch", "{num_steps} L-BFGS steps"),
    "fine_tuning": Component("lbb_jax.training:fine_tuning", "{num_steps} training steps"),
}
POSTERIORS = {
    "deep_ensemble": Component("lbb_jax.posteriors:deep_ensemble", "deep ensemble"),
    "laplace": Component("lbb_jax.posteriors:laplace", "last-layer Laplace"),
    "mc_dropout": Component("lbb_jax.posteriors:mc_dropout", "MC dropout"),
}


def _images(title: str, prepared_as: str, mean: Any, std: Any, **options: Any) -> Component:
    """Images that tensorflow-datasets prepares. Means and standard deviations are those of the paper's code."""
    arguments = {"prepared_as": prepared_as, "mean": mean, "std": std} | options
    return Component("lbb_jax.datasets.prepared_images:load", title, arguments)


_CIFAR = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
DATASETS = {
    "digits": Component("lbb_jax.datasets.digits:load", "digits"),
    "mnist": _images("MNIST", "mnist", 0.1307, 0.3081),
    "fashion_mnist": _images("Fashion-MNIST", "fashion_mnist", 0.286, 0.353),
    "kmnist": _images("KMNIST", "kmnist", 0.5, 0.5),
    # Transposed, so that figures show upright characters; networks with square kernels learn both equally well.
    "emnist": _images("EMNIST", "emnist/balanced", 0.1307, 0.3081, transposed=True),
    "svhn": _images("SVHN", "svhn_cropped", (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197)),
    "cifar10": _images("CIFAR-10", "cifar10", *_CIFAR),
    # Its label is that of the 100 classes; that of the 20 superclasses is left out.
    "cifar100": _images("CIFAR-100", "cifar100", *_CIFAR),
    # AG News with a frozen encoder, and for fine-tuning the encoder.
    "ag_news": Component("lbb_jax.datasets.ag_news:load", "AG News", {"frozen": True}),
    "ag_news_tokens": Component("lbb_jax.datasets.ag_news:load", "AG News", {"frozen": False}),
    # Data sets of the user's own.
    "arrays": Component("lbb_jax.datasets.arrays:load", "arrays"),
    "image_folder": Component("lbb_jax.datasets.image_folder:load", "images"),
    "text_csv": Component("lbb_jax.datasets.text_csv:load", "texts"),
}
TABLES = {"dataset": DATASETS, "network": NETWORKS, "training": TRAININGS, "posterior": POSTERIORS}

_REPLACE = (
    "; for another name than the configuration's, a configuration file replaces the section: config.{} = ConfigDict"
)
# What Flax adds to the fields of a module.
_FROM_FLAX = ("parent", "name")


class Found(NamedTuple):
    """What a section of a configuration names.

    Attributes:
      field: As messages show it: ``config.network.name='my_models:Net'``.
      is_users: Whether it is the user's own and not built in.
      make: The function or class.
      fields: The section's other fields, and the component's own arguments.
    """

    field: str
    is_users: bool
    make: Callable[..., Any]
    fields: Mapping[str, Any]

    def takes(self, argument: str) -> bool:
        """Whether it has an argument of this name."""
        return argument in ranges.parameters(self.make)

    def build(self, **given: Any) -> Any:
        """Calls it with its fields and with those arguments of ``given`` that it takes.

        Raises:
          ExperimentError: If the user's code fails; the message has its file and line.
        """
        arguments = dict(self.fields) | {name: value for name, value in given.items() if self.takes(name)}
        with blamed(self.field) if self.is_users else contextlib.nullcontext():
            return self.make(**arguments)


@contextlib.contextmanager
def blamed(field: str) -> Iterator[None]:
    """Reports errors raised inside the context as errors of a configuration's field, with the place in the user's code.

    Args:
      field: As messages show it: ``config.network.name='my_models:Net'``.

    Raises:
      ExperimentError: For every error that is not one already.
    """
    try:
        yield
    except (ExperimentError, MemoryError):
        raise
    # A user's code may raise any error.
    except Exception as error:
        place = references.users_place(error)
        where = f" at {place}" if place else ""
        raise ExperimentError(f"{field}: fails{where} ({type(error).__name__}: {error})") from error


def find(
    section: str,
    fields: Mapping[str, Any],
    *,
    given: Collection[str] = (),
    shared: Mapping[str, Range] = types.MappingProxyType({}),
    prefix: str | None = None,
) -> Found:
    """What a section of a configuration names, once its fields are checked against the signature.

    Args:
      section: ``"network"``, ``"training"``, ``"posterior"`` or ``"dataset"``.
      fields: The section's fields, ``name`` among them.
      given: Arguments that the experiment itself passes and that are not fields.
      shared: Fields that the section may have for any component, with their ranges. Fields that the named component
        does not take are left out.
      prefix: What stands before a field's name in a message; ``config.SECTION.`` if None.

    Raises:
      ValueError: For an unknown name, and for a field that is unknown, missing or out of range. The message has the
        field's full name, its value and what there is.
      TypeError: For a field of another kind.
    """
    prefix = f"config.{section}." if prefix is None else prefix
    table, fields = TABLES[section], dict(fields)
    name = fields.pop("name", None)
    if references.is_reference(name):
        references.add_folder(Path.cwd())
        make, arguments = references.load(name, f"{prefix}name={name!r}"), {}
        if not callable(make):
            raise ExperimentError(f"{prefix}name={name!r}: is a {type(make).__name__}; name a function or class")
    else:
        allowed = ranges.choice(*table, more="'module:attribute' of your own")
        ranges.check({"name": allowed}, {"name": name}, prefix=prefix)
        reference, _, arguments = table[name]
        make = references.load(reference, f"{prefix}name={name!r}")
    found = ranges.parameters(make)
    kinds = {field: parameter.kind for field, parameter in found.items()}
    takes_all = inspect.Parameter.VAR_KEYWORD in kinds.values()
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    others = {*given, *arguments, *_FROM_FLAX}
    own = [field for field, kind in kinds.items() if field not in others and kind not in several]
    for field, value in fields.items():
        if field not in own and field not in shared and not takes_all:
            there = ", ".join(sorted({*own, *shared})) or "no fields"
            raise ExperimentError(
                f"{prefix}{field}={value!r}: there is no such field; name={name!r} takes {there}"
                + (_REPLACE if prefix.startswith("config.") else "")
            )
    for field in own:
        if found[field].default is inspect.Parameter.empty and field not in fields:
            raise ExperimentError(f"{prefix}{field}: is missing; name={name!r} takes {', '.join(sorted(own))}")
    ranges.check(dict(shared) | dict(ranges.of(make, plain=True)), fields, prefix=prefix)
    taken = {field: value for field, value in fields.items() if takes_all or field in own}
    return Found(f"{prefix}name={name!r}", references.is_reference(name), make, {**arguments, **taken})


def ignored(section: str, name: str, fields: Collection[str]) -> list[str]:
    """Those of a section's fields that a component of the project does not take; none for a user's own."""
    row = TABLES[section].get(name)
    if row is None:
        return []
    takes = ranges.parameters(references.load(row.reference, f"{section}={name!r}"))
    return [field for field in fields if field != "name" and field not in takes]


def title(section: str, name: str, fields: Mapping[str, Any] = types.MappingProxyType({})) -> str:
    """The name of a component in figures and tables: the title of a built-in one, the given name of any other."""
    row = TABLES[section].get(name)
    try:
        return name if row is None else row.title.format(**fields)
    except KeyError:
        return name

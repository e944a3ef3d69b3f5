"""Last-layer Laplace: a network whose last layer has a Gaussian posterior (Daxberger et al., NeurIPS 2021).

The network is trained as usual, and the parameters of its last layer get the Gaussian of
`lbb_jax.posteriors.gauss_newton` around what was learnt. A draw is one last layer, the same for every input, so that
joint quantities are right; hundreds of draws cost one matrix product more than a single draw, and joint information is
not limited by the logarithm of the number of members, as it is in an ensemble.
"""

import functools
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lbb_jax import examples as example_lib
from lbb_jax import ranges
from lbb_jax.examples import Data, Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables, last_layer
from lbb_jax.posteriors import gauss_newton
from lbb_jax.posteriors.deep_ensemble import deep_ensemble
from lbb_jax.posteriors.posterior import Posterior, predict_in_chunks
from lbb_jax.ranges import Count, OptionalCount
from lbb_jax.training import Training

# The most parameters of the last layer for which the full matrix is decomposed, in time that grows with their cube.
MOST_OF_FULL = 4096
STRUCTURES = ("auto", "full", "kronecker")
Structure = Annotated[str, ranges.choice(*STRUCTURES)]
OptionalPrecision = Annotated[
    float | None, ranges.optional(ranges.number("above 0 and finite", lambda value: value > 0))
]


class Fitted(NamedTuple):
    """Networks with Gaussian last layers, each leaf with a leading axis ``[M]`` of members.

    Attributes:
      variables: The variables of the networks.
      mean: What the last layers learnt, ``[M, C, D + 1]``; the last column is the bias.
      curvature: The curvature of the last layers' losses.
      prior_precision: ``[M]``.
    """

    variables: Variables
    mean: Float[Array, "M C features"]
    curvature: gauss_newton.Curvature
    prior_precision: Float[Array, " M"]


@ranges.checked
def laplace(
    network: Network,
    training: Training,
    *,
    num_draws: Count,
    num_members: Count = 1,
    members_at_once: OptionalCount = None,
    structure: Structure = "auto",
    prior_precision: OptionalPrecision = None,
) -> Posterior:
    """Trained networks whose last layers are drawn from their Laplace approximations.

    Args:
      network: The network of every member. Its last layer is linear and its parameters are named "output".
      training: How each is trained.
      num_draws: The default ``K`` of ``sample``, a multiple of ``num_members``; every member has equally many draws.
      num_members: ``M``, at least 1. Several are an ensemble of Laplace approximations.
      members_at_once: How many are trained side by side, at least 1; None for all.
      structure: "full" for all pairs of the last layer's parameters, "kronecker" for the Kronecker approximation,
        "auto" for "full" up to 4,096 parameters and "kronecker" beyond.
      prior_precision: ``λ``, above 0. None takes, for each member in each round, the ``λ`` of the highest marginal
        likelihood.

    Returns:
      The posterior. ``fit`` returns `Fitted`. Embeddings are those of the first member.

    Raises:
      ValueError: If an argument is out of range; by ``sample``, if the number of draws is not a multiple of
        ``num_members``; by ``fit``, for a network whose last layer is not found.
    """
    _check_draws(num_draws, num_members)
    ensemble = deep_ensemble(network, training, num_members=num_members, members_at_once=members_at_once)
    embed_inputs, embed_examples = network.embed, ensemble.embed
    if embed_inputs is None or embed_examples is None:
        raise ValueError("network: has no embeddings, the inputs of its last layer; give its module a method embed(x)")
    default_num_draws = num_draws

    def fit(key: jax.Array, variables: Variables, data: Data, labelled: LabelledSet) -> tuple[Fitted, jax.Array]:
        variables, losses = ensemble.fit(key, variables, data, labelled)
        counts = jnp.arange(len(labelled.indices), dtype=jnp.int32) < labelled.size

        def approximate(member: Variables) -> tuple[jax.Array, gauss_newton.Curvature, jax.Array]:
            embeddings = example_lib.map_inputs(functools.partial(embed_inputs, member), data.pool, labelled.indices)
            features = jnp.where(counts[:, None], _with_ones(embeddings), 0)
            kernel, bias = last_layer(member, features.shape[1] - 1)
            mean = jnp.concatenate([kernel, bias[None]]).T
            hessians = gauss_newton.softmax_hessians(_outputs(features, mean[None])[:, 0])
            hessians = jnp.where(counts[:, None, None], hessians, 0)
            if structure == "full" or (structure == "auto" and mean.size <= MOST_OF_FULL):
                curvature = gauss_newton.full(features, hessians)
            else:
                curvature = gauss_newton.kronecker(features, hessians, labelled.size.astype(mean.dtype))
            if prior_precision is None:
                return mean, curvature, gauss_newton.best_prior_precision(mean, curvature)
            return mean, curvature, jnp.asarray(prior_precision, mean.dtype)

        return Fitted(variables, *jax.lax.map(approximate, variables)), losses

    def sample(key: jax.Array, fitted: Fitted, examples: Examples, *, num_draws: int | None = None) -> jax.Array:
        num_draws = default_num_draws if num_draws is None else num_draws
        _check_draws(num_draws, num_members)

        def draw(member: tuple[jax.Array, Fitted]) -> jax.Array:
            key, of_member = member
            return gauss_newton.draw(
                key,
                of_member.mean,
                of_member.curvature,
                of_member.prior_precision,
                num_draws=num_draws // num_members,
            )

        layers = jax.lax.map(draw, (jax.random.split(key, num_members), fitted))

        def predict(inputs: jax.Array) -> jax.Array:
            def of_member(member: tuple[Variables, jax.Array]) -> jax.Array:
                variables, layers = member
                return _outputs(_with_ones(embed_inputs(variables, inputs)), layers)

            # The second axis holds all draws of the first member, then those of the next.
            logits = jax.lax.map(of_member, (fitted.variables, layers))
            return jnp.moveaxis(logits, 0, 1).reshape(len(inputs), num_draws, -1)

        return predict_in_chunks(predict, examples)

    def embed(fitted: Fitted, examples: Examples) -> jax.Array:
        return embed_examples(fitted.variables, examples)

    return Posterior(ensemble.init, fit, sample, embed)


def _check_draws(num_draws: int, num_members: int) -> None:
    if num_draws < 1 or num_draws % num_members:
        raise ValueError(f"num_draws={num_draws}: must be a multiple of num_members={num_members}")


def _with_ones(embeddings: Float[Array, "n D"]) -> Float[Array, "n D+1"]:
    """``embeddings[n, D]`` with a feature that is always 1, ``[n, D + 1]``."""
    return jnp.concatenate([embeddings, jnp.ones((len(embeddings), 1), embeddings.dtype)], axis=1)


def _outputs(features: Float[Array, "n D"], layers: Float[Array, "K C D"]) -> Float[Array, "n K C"]:
    """Logits of ``features[n, D]`` by ``layers[K, C, D]``: ``[n, K, C]``."""
    return jnp.einsum("nd,kcd->nkc", features, layers, precision=jax.lax.Precision.HIGHEST)

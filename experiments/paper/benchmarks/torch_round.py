"""The MNIST experiment in PyTorch, in the forms that a user would try. Needs PyTorch and nothing else.

It computes on a GPU where PyTorch finds one.

    python experiments/paper/benchmarks/torch_round.py '{"stage": "train", "forms": ["plain"], "units": 8}'

Takes the settings as JSON, and prints a line of JSON for each form. `paper.benchmarks.round_cases` times the same by
lbb_jax.
"""

import contextlib
import copy
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

_BATCH_SIZE = 64
_CHUNK_SIZE = 250
_NUM_CLASSES = 10
_MEAN, _STD = 0.1307 * 255, 0.3081 * 255


class Form(NamedTuple):
    """How PyTorch computes.

    Attributes:
      channels_last: Whether images and kernels have their channels last in memory.
      compiled: Whether `torch.compile` compiles the network.
      predicts_compiled: Whether it does so for prediction alone.
      frozen: Whether the compiler may take the parameters for constants, which serves prediction only.
      together: Whether all members are computed by one call of `torch.vmap`.
    """

    channels_last: bool = False
    compiled: bool = False
    predicts_compiled: bool = False
    frozen: bool = False
    together: bool = False


FORMS = {
    "plain": Form(),
    "channels last": Form(channels_last=True),
    "channels last, compiled to predict": Form(channels_last=True, predicts_compiled=True),
    "compiled": Form(compiled=True),
    "compiled, channels last": Form(channels_last=True, compiled=True),
    "compiled, frozen": Form(compiled=True, frozen=True),
    "vmap": Form(together=True),
}


class Network(nn.Module):
    """The network of the paper's MNIST experiments, with the ensemble's dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution1, self.convolution2 = nn.Conv2d(1, 32, 5), nn.Conv2d(32, 64, 5)
        self.hidden, self.output = nn.Linear(1024, 128), nn.Linear(128, _NUM_CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From images ``[B, 1, 28, 28]`` to the logits ``[B, C]``."""
        for convolution in (self.convolution1, self.convolution2):
            dropped = functional.dropout2d(convolution(images), 0.25, self.training)
            images = functional.relu(functional.max_pool2d(dropped, 2))
        features = functional.relu(self.hidden(images.flatten(1)))
        return self.output(functional.dropout(features, 0.5, self.training))


def train(form: Form, *, num_members: int, num_images: int) -> Callable[[int], list[nn.Module]]:
    """A function that trains all members from scratch for some steps on ``num_images`` labelled images."""
    images, labels = _images(num_images), torch.randint(_NUM_CLASSES, (num_images,))
    inputs = _arranged(_normalised(images), form)

    def minibatch(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = torch.randint(num_images, shape)
        return inputs[chosen], labels[chosen]

    def one_after_another(num_steps: int) -> list[nn.Module]:
        return [train_one(num_steps) for _ in range(num_members)]

    # The compiled network is one for all members, so that it is compiled once.
    network = _arranged(Network(), form)
    logits = torch.compile(network) if form.compiled else network

    def train_one(num_steps: int) -> nn.Module:
        for layer in network.children():
            layer.reset_parameters()
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(num_steps):
            optimizer.zero_grad()
            chosen, targets = minibatch(_BATCH_SIZE)
            functional.cross_entropy(logits(chosen), targets).backward()
            optimizer.step()
        return copy.deepcopy(network)

    def side_by_side(num_steps: int) -> list[nn.Module]:
        members = [Network() for _ in range(num_members)]
        params, _ = torch.func.stack_module_state(members)

        def loss(params: dict[str, torch.Tensor], chosen: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return functional.cross_entropy(torch.func.functional_call(members[0], params, (chosen,)), targets)

        losses = torch.vmap(loss, randomness="different")
        optimizer = torch.optim.Adam(params.values(), 1e-3)
        for _ in range(num_steps):
            optimizer.zero_grad()
            losses(params, *minibatch(num_members, _BATCH_SIZE)).sum().backward()
            optimizer.step()
        return members

    return side_by_side if form.together else one_after_another


def predict(form: Form, *, num_members: int, num_images: int) -> Callable[[int], torch.Tensor]:
    """A function that predicts the first images: log-probabilities ``[N, K, C]``; each chunk is normalised once."""
    images = _images(num_images)
    log_probs = _predictions_of(_members(form, num_members), form)
    return lambda count: log_probs(images[:count])


def _members(form: Form, num_members: int) -> list[nn.Module]:
    return [_arranged(Network(), form).eval() for _ in range(num_members)]


def _predictions_of(members: list[nn.Module], form: Form) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from images to the log-probabilities ``[N, K, C]`` of the members."""
    is_compiled = form.compiled or form.predicts_compiled
    networks = [torch.compile(member) if is_compiled else member for member in members]
    params, _ = torch.func.stack_module_state(members)

    def together(inputs: torch.Tensor) -> torch.Tensor:
        return torch.vmap(lambda one: torch.func.functional_call(members[0], one, (inputs,)))(params).transpose(0, 1)

    def apart(inputs: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(inputs) for network in networks], 1)

    def log_probs(images: torch.Tensor) -> torch.Tensor:
        from torch._inductor import config

        with torch.no_grad(), config.patch(freezing=True) if form.frozen else contextlib.nullcontext():
            logits = together if form.together else apart
            chunks = images.split(_CHUNK_SIZE)
            return torch.cat([logits(_arranged(_normalised(chunk), form)).log_softmax(-1) for chunk in chunks])

    return log_probs


def acquire(form: Form, *, num_members: int, num_images: int) -> Callable[[int], list[int]]:
    """A function that picks some images by LBB with the tree bound, every pair evaluated."""
    del form
    logits = 3 * torch.randn(num_images, num_members, _NUM_CLASSES)
    log_probs = logits.log_softmax(-1)
    return lambda count: tree(log_probs, count)


def bald(log_probs: torch.Tensor) -> torch.Tensor:
    """BALD of every point, vectorised."""
    probs = log_probs.exp()
    expected_entropy = torch.special.entr(probs).sum(-1).mean(-1)
    return torch.special.entr(probs.mean(1)).sum(-1) - expected_entropy


def tree(log_probs: torch.Tensor, batch_size: int) -> list[int]:
    """LBB by the tree bound, every pair evaluated, vectorised."""
    probs = log_probs.exp()
    entropy = torch.special.entr(probs.mean(1)).sum(-1)
    scores = bald(log_probs)
    shared, picks = torch.zeros_like(scores), []
    for _ in range(batch_size):
        gains = scores - shared
        gains[picks] = -torch.inf
        picks.append(int(gains.argmax()))
        joint = torch.einsum("nkc,kd->ncd", probs, probs[picks[-1]]) / probs.shape[1]
        pairs = entropy + entropy[picks[-1]] - torch.special.entr(joint).sum((-2, -1))
        shared = torch.maximum(shared, pairs)
    return picks


def experiment(
    form: Form,
    *,
    num_members: int,
    num_images: int,
    num_labelled: int,
    num_tested: int,
    num_steps: int,
    num_acquired: int,
) -> Callable[[int], torch.Tensor]:
    """A function that runs some rounds, each of which trains, tests, predicts the pool and picks.

    How many images are labelled does not change what a step costs: every round trains on ``num_labelled``.
    """
    pool, tested, labels = _images(num_images), _images(num_tested), torch.randint(_NUM_CLASSES, (num_tested,))
    fit = train(form, num_members=num_members, num_images=num_labelled)
    members = _members(form, num_members)
    log_probs = _predictions_of(members, form)

    def rounds(count: int) -> torch.Tensor:
        accuracies = []
        for number in range(1, count + 1):
            for member, trained in zip(members, fit(num_steps), strict=True):
                member.load_state_dict(trained.state_dict())
            accuracies.append((log_probs(tested).logsumexp(1).argmax(-1) == labels).float().mean())
            if number < count:
                tree(log_probs(pool), num_acquired)
        return torch.stack(accuracies)

    return rounds


STAGES = {"train": train, "predict": predict, "acquire": acquire, "experiment": experiment}
# Units that are enough for everything to be compiled.
_FEW = {"train": 2, "predict": _CHUNK_SIZE, "acquire": 1, "experiment": 2}


def measure(stage: str, forms: list[str], *, units: int, **sizes: int) -> Iterator[dict[str, Any]]:
    """Times a stage, or a whole experiment, in some forms. A first call with a few units compiles.

    Args:
      stage: A name of `STAGES`.
      forms: Names of `FORMS`.
      units: Steps to train, images to predict, points to acquire, or rounds; images in whole chunks of 250.
      **sizes: What the function of the stage takes.
    """
    for name in forms:
        run = STAGES[stage](FORMS[name], **sizes)
        few = min(units, _FEW[stage])
        first, again = _seconds(run, few), _seconds(run, few)
        yield {
            "stage": stage,
            "form": name,
            "seconds": round(_seconds(run, units), 4),
            "compile_seconds": round(first - again, 1),
            "torch": torch.__version__,
            "torch_device": torch.get_default_device().type,
        }


def _seconds(function: Callable[[int], Any], units: int) -> float:
    start = time.perf_counter()
    function(units)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _images(count: int) -> torch.Tensor:
    return torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8)


def _normalised(images: torch.Tensor) -> torch.Tensor:
    return (images - _MEAN) / _STD


def _arranged(tensors: Any, form: Form) -> Any:
    """A module or images in the memory format of the form."""
    return tensors.to(memory_format=torch.channels_last if form.channels_last else torch.contiguous_format)


if __name__ == "__main__":
    if torch.cuda.is_available():
        torch.set_default_device("cuda")
        # Matrix products are rounded as convolutions are, and as JAX rounds both.
        torch.set_float32_matmul_precision("high")
    for record in measure(**json.loads(sys.argv[1])):
        print(json.dumps(record), flush=True)

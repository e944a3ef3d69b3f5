"""The same training steps by PyTorch, as one would write them by hand. Needs PyTorch."""

import statistics
import time

import torch
from torch import nn
from torch.nn import functional

from lbb_jax.json_lines import Record
from paper.benchmarks.training_cases import BATCH_SIZE, NUM_CLASSES


def time_training(name: str, *, num_steps: int, repetitions: int) -> Record:
    """Times the steps of one network: forward, backward, optimizer.

    Args:
      name: "mnist_cnn" or "resnet18".
      num_steps: Steps in a repetition.
      repetitions: How often the steps are timed; the median counts.

    Returns:
      Milliseconds per step.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "mnist_cnn":
        network, shape = mnist_network().to(device), (1, 28, 28)
        optimizer: torch.optim.Optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    else:
        network, shape = ResNet18().to(device), (3, 32, 32)
        optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    images = torch.randn(BATCH_SIZE, *shape, device=device)
    labels = torch.randint(NUM_CLASSES, (BATCH_SIZE,), device=device)

    def steps(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
        loss.item()
        return (time.perf_counter() - start) / count

    steps(2)
    seconds = statistics.median(steps(num_steps) for _ in range(repetitions))
    return {
        "case": f"training, {name} (PyTorch)",
        "networks": 1,
        "batch_size": BATCH_SIZE,
        "milliseconds_per_network_step": round(1e3 * seconds, 2),
    }


def mnist_network() -> nn.Module:
    """The network of the paper's MNIST experiments, without dropout."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(32, 64, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, NUM_CLASSES)),
    )


class _Block(nn.Module):
    """A basic block of He et al. (2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.convolution1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.convolution2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.norm1(self.convolution1(features)))
        return functional.relu(self.norm2(self.convolution2(hidden)) + self.shortcut(features))


class ResNet18(nn.Sequential):
    """ResNet-18 with a 3×3 stem and no stem pool."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        inputs = 64
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [_Block(inputs, outputs, stride), _Block(outputs, outputs, 1)]
            inputs = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, NUM_CLASSES))

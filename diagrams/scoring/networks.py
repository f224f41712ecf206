"""Two small networks: one scores a picture's readability, an auto-encoder describes a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from diagrams.scoring.appearance import APPEARANCE_FEATURES
from diagrams.scoring.pixel_arrays import COLOUR_HEIGHT, COLOUR_WIDTH, Pixels

CHANNELS = 12  # numbers that describe a spot of a picture
LATENT = 2 * CHANNELS  # numbers that describe a picture
WHITE = torch.tensor([0.0, 128.0, 128.0])[:, None, None]
BATCH = 64

Array = NDArray[np.float64]


def _convolution(given: int, made: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    padding = size // 2 if size % 2 else 0
    return nn.Sequential(
        nn.Conv2d(given, made, size, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(made),
        nn.ReLU(),
    )


class AttentionPooling(nn.Module):
    """Weighted means over a picture's positions; each head's weights add up to 1.

    A fault counts by the share of the diagram that has it. A mean over the whole picture falls
    with the white around; one over what a glance looks at does not.
    """

    def __init__(self, channels: int, glances: int = 8, numbers: int = 16) -> None:
        super().__init__()
        self.glances, self.numbers = glances, numbers
        self.where = nn.Conv2d(channels, glances, 1)
        self.what = nn.Conv2d(channels, glances * numbers, 1)

    def forward(self, spots: torch.Tensor) -> torch.Tensor:
        """(rows, channels, height, width) → (rows, glances × numbers)."""
        where = self.where(spots).flatten(2).softmax(dim=2)
        what = self.what(spots).reshape(len(spots), self.glances, self.numbers, -1)
        seen: torch.Tensor = (what * where[:, :, None]).sum(dim=3).flatten(1)
        return seen


class ReadabilityNetwork(nn.Module):
    """A picture → the logit of its readability over 5.

    Three ways of taking the picture together stand side by side: the average and the maximum over
    it, how much is wrong and how badly at the worst spot, and the glances.
    """

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            _convolution(1, 24, size=4, stride=4),
            _convolution(24, 48, stride=2),
            _convolution(48, 64, stride=2),
            _convolution(64, 64),
            _convolution(64, 96, stride=2),
            _convolution(96, 96),
        )
        self.glances = AttentionPooling(96)
        self.judge = nn.Sequential(
            nn.Linear(96 + 96 + 8 * 16, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)
        )
        for weight in self.parameters():
            if weight.dim() == 4:  # a third faster on a CPU
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, 1, 150, 250) from 0 to 1 → (rows,) logits."""
        spots = self.look(pictures.contiguous(memory_format=torch.channels_last))
        pooled = [spots.mean(dim=(2, 3)), spots.amax(dim=(2, 3)), self.glances(spots)]
        logits: torch.Tensor = self.judge(torch.cat(pooled, dim=1)).squeeze(1)
        return logits


class AutoEncoder(nn.Module):
    """A coloured picture → CHANNELS numbers at each of 8 × 13 spots → the picture again.

    Convolutions only: what a spot looks like is remembered wherever it stands, so that the mean
    and the spread over all spots describe a picture's looks rather than its layout.
    """

    spread: torch.Tensor  # standard deviation of each number of the description
    looks_spread: torch.Tensor  # of each look of the same diagrams, which stands beside it

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("spread", torch.ones(LATENT))
        self.register_buffer("looks_spread", torch.ones(APPEARANCE_FEATURES))
        self.encode = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, CHANNELS, 3, stride=2, padding=1),
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(CHANNELS, 24, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(24, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1),
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, 3, 60, 100) against white → the same, as remembered."""
        made: torch.Tensor = self.decode(self.encode(pictures))
        return made[:, :, :COLOUR_HEIGHT, :COLOUR_WIDTH]

    def describe(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, 3, 60, 100) against white → (rows, LATENT), each in units of its spread."""
        spots = self.encode(pictures)
        numbers = torch.cat([spots.mean(dim=(2, 3)), spots.std(dim=(2, 3))], dim=1)
        described: torch.Tensor = numbers / self.spread
        return described


def to_tensor(pixels: Pixels) -> torch.Tensor:
    """Bytes 0–255 as floats 0–1."""
    return torch.from_numpy(pixels).float() / 255


def against_white(pixels: torch.Tensor) -> torch.Tensor:
    """Coloured pictures as bytes → floats that are 0 where nothing is drawn."""
    return (pixels.float() - WHITE.to(pixels.device)) / 255


@torch.inference_mode()
def scores(judge: ReadabilityNetwork, pixels: Pixels) -> Array:
    """Readability 0 to 5 of each picture."""
    judge.eval()
    parts = [judge(to_tensor(part)).sigmoid() for part in _batches(pixels)]
    return 5 * torch.cat(parts).double().numpy()


@torch.inference_mode()
def latents(network: AutoEncoder, pixels: Pixels) -> Array:
    """Shape (pictures, LATENT)."""
    network.eval()
    parts = (against_white(torch.from_numpy(part)) for part in _batches(pixels))
    return torch.cat([network.describe(part) for part in parts]).double().numpy()


def _batches(pixels: Pixels) -> list[Pixels]:
    return [pixels[at : at + BATCH] for at in range(0, len(pixels), BATCH)]


def save(networks: list[nn.Module], path: Path) -> None:
    """Write networks of one kind into one safetensors file, in half precision where it can be."""
    tensors = {
        f"{number}.{name}": (value.half() if value.is_floating_point() else value).contiguous()
        for number, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    path.chmod(0o644)  # readable for everybody, as other files are


N = TypeVar("N", bound=nn.Module)


def load(kind: Callable[[], N], path: Path) -> list[N]:
    """The networks that `save` wrote."""
    stored = load_file(path)
    count = 1 + max(int(name.partition(".")[0]) for name in stored)
    networks = []
    for number in range(count):
        network = kind()
        prefix = f"{number}."
        own = {n.removeprefix(prefix): v for n, v in stored.items() if n.startswith(prefix)}
        network.load_state_dict(
            {n: v.float() if v.is_floating_point() else v for n, v in own.items()}
        )
        networks.append(network.eval())
    return networks

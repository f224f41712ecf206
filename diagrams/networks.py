"""The two small networks: one that judges a picture, one that describes it in few numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from diagrams.pictures import COLOUR_HEIGHT, COLOUR_WIDTH, Pixels

WEIGHTS = Path(__file__).parent / "weights"
CHANNELS = 12  # numbers that describe a spot of a picture
LATENT = 2 * CHANNELS  # numbers that describe a picture
WHITE = torch.tensor([0.0, 128.0, 128.0])[:, None, None]
BATCH = 64

Array = NDArray[np.float64]


class Judge(nn.Module):
    """A picture → the logit of its readability over 5.

    Average and maximum over the picture stand side by side: how much is wrong, and how badly at
    the worst spot.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (2, 12, 24, 48, 64)
        blocks = []
        for given, made in pairwise(widths):
            blocks += [
                nn.Conv2d(given, made, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(made),
                nn.ReLU(),
            ]
        self.look = nn.Sequential(*blocks)
        self.judge = nn.Sequential(
            nn.Linear(2 * widths[-1], 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1)
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, 2, 75, 125) from 0 to 1 → (rows,) logits."""
        seen = self.look(pictures)
        pooled = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)
        logits: torch.Tensor = self.judge(pooled).squeeze(1)
        return logits


class AutoEncoder(nn.Module):
    """A coloured picture → CHANNELS numbers at each of 8 × 13 spots → the picture again.

    Convolutions only: what a spot looks like is remembered wherever it stands, so that the mean
    and the spread over all spots describe a picture's looks rather than its layout.
    """

    spread: torch.Tensor  # standard deviation of each number of the description

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("spread", torch.ones(LATENT))
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
def scores(judge: Judge, pixels: Pixels) -> Array:
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


def load(kind: type, path: Path) -> list[Any]:
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

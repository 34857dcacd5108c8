"""The course of a training, the same for every network: samples that can be repeated, learning rate, running average."""
import math
import random
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset


class Samples(Dataset):
    """
    Sample number n is always the same one, so that a resumed training sees what an unbroken one would have seen.

    `make` gives pixels [H, W, 3] (blue, green, red) and what is in them, from dice of its own; out come planes [3, H, W] (green,
    blue, red), as the daemon decodes frames, and the same.
    """

    def __init__(self, make: Callable[[random.Random], tuple[np.ndarray, object]], seed: int, numbers: range):
        self.make, self.seed, self.numbers = make, seed, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, at: int):
        pixels, objects = self.make(random.Random(self.seed * 1_000_003 + self.numbers[at]))
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[[1, 0, 2]])), objects


def start_worker(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def rate(step: int, steps: int, top: float, warm_up: int) -> float:
    """Learning rate: a short warm-up, then half a cosine down to a fiftieth."""
    if step < warm_up:
        return top * (step + 1) / warm_up
    return top * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))


def blend(average: torch.nn.Module, network: torch.nn.Module, step: int, most: float) -> None:
    """Moves the running average to the network; of the average stays up to `most`, and less at the start."""
    keep = min(most, (1 + step) / (10 + step))
    with torch.no_grad():
        for mine, new in zip(average.state_dict().values(), network.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.mul_(keep).add_(new, alpha=1 - keep)

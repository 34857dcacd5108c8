"""The course of a training, the same for every network: repeatable samples, learning rate, running average, checkpoints."""
import argparse
import copy
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


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


def options(description: str, *, steps: int, batch: int, rate: float) -> argparse.ArgumentParser:
    """What can be said of every training, with the network's own defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="computes in bfloat16, for processors with AMX")
    return parser


def decayed(network: torch.nn.Module) -> list[dict]:
    """What learns, in two groups: weights of convolutions and matrices are pulled to zero, biases and batch norms are not."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


class Course:
    """
    A network on its way: its running average, its optimiser, and checkpoints in the folder `--out`, from the last of which
    `--resume` goes on.

    `groups` are parameters as optimisers take them; `average` how much of the running average stays, a step; `largest` the length
    that gradients are cut to.
    """

    def __init__(
        self, network: torch.nn.Module, groups: list, args: argparse.Namespace, *, warm_up: int, average: float, largest: float
    ):
        self.args, self.warm_up, self.keep, self.largest = args, warm_up, average, largest
        args.out.mkdir(parents=True, exist_ok=True)
        self.last = args.out / "last.pt"
        self.average = copy.deepcopy(network).eval()
        self.network = network.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(groups, lr=args.rate, weight_decay=0.0)
        self.first = 0
        if args.resume:
            saved = torch.load(self.last, map_location="cpu")
            for name, part in self.parts().items():
                part.load_state_dict(saved[name])
            self.first = saved["step"]
        self.sums: dict[str, float] = {}
        self.began = time.time()

    def parts(self) -> dict:
        return {"network": self.network, "average": self.average, "optimiser": self.optimiser}

    def batches(self, make: Callable[[random.Random], tuple], collate: Callable) -> Iterator[tuple[int, tuple]]:
        """Number and batch of each step that is left, the samples made by `make` from dice of their own."""
        args = self.args
        numbers = range(self.first * args.batch, args.steps * args.batch)
        samples = Samples(make, args.seed, numbers)
        loader = DataLoader(
            samples, args.batch, num_workers=1, collate_fn=collate, worker_init_fn=start_worker, prefetch_factor=4
        )
        return enumerate(loader, self.first)

    def computing(self) -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.args.bf16)

    def learn(self, step: int, loss: torch.Tensor) -> None:
        for part in self.optimiser.param_groups:
            part["lr"] = rate(step, self.args.steps, self.args.rate, self.warm_up)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in self.optimiser.param_groups for p in group["params"]], self.largest)
        self.optimiser.step()
        blend(self.average, self.network, step, self.keep)

    def tell(self, step: int, parts: dict[str, torch.Tensor], every: int) -> None:
        """Prints the means of `every` steps."""
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach()) / every
        if (step + 1) % every == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in self.sums.items())
            print(f"step {step + 1} {shown} {(time.time() - self.began) / every:.2f} s", flush=True)
            self.sums, self.began = {}, time.time()

    def save(self, step: int, every: int) -> None:
        """A checkpoint after every so many steps and after the last."""
        if (step + 1) % every != 0 and step + 1 != self.args.steps:
            return
        states = {name: part.state_dict() for name, part in self.parts().items()}
        torch.save({**states, "step": step + 1}, self.last.with_name("new.pt"))
        self.last.with_name("new.pt").replace(self.last)


def left_out(lists: Iterable[Path]) -> set[str]:
    """Names of images that are not to be trained on, one a line."""
    return {line for path in lists for line in path.read_text().split("\n") if line}

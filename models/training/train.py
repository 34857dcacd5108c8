"""Trains the network: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint."""
import argparse
import copy
import math
import random
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from augment import make_sample
from data import GROUPS, Drawer, load_pictures
from loss import Known, group_loss
from network import PIXEL_SCALE, PlateFaceNet, cell_centres
from synthetic_plates import draw_many

WARM_UP_STEPS = 200
DRAWN_PLATES = 600
AVERAGE = 0.998  # of the running average of the weights, a step


class Samples(Dataset):
    """Sample number n is always the same one, so that a resumed training sees what an unbroken one would have seen."""

    def __init__(self, drawer: Drawer, plates: list[np.ndarray], side: int, seed: int, numbers: range):
        self.drawer, self.plates, self.side, self.seed, self.numbers = drawer, plates, side, seed, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, at: int):
        dice = random.Random(self.seed * 1_000_003 + self.numbers[at])
        pixels, objects = make_sample(self.drawer, self.plates, self.side, dice)
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[[1, 0, 2]])  # B G R to G B R
        return torch.from_numpy(planes), objects


def collate(samples):
    known = {
        group: [Known(o[group].boxes, o[group].corners, o[group].ignore) for _, o in samples] for group in GROUPS
    }
    return torch.stack([planes for planes, _ in samples]), known


def start_worker(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def rate(step: int, steps: int, top: float) -> float:
    """Learning rate: a short warm-up, then half a cosine down to a fiftieth."""
    if step < WARM_UP_STEPS:
        return top * (step + 1) / WARM_UP_STEPS
    return top * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))


def decayed(network: torch.nn.Module) -> list[dict]:
    """Weights of convolutions are pulled to zero, biases and batch norms are not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def blend(average: torch.nn.Module, network: torch.nn.Module, step: int) -> None:
    keep = min(AVERAGE, (1 + step) / (10 + step))
    with torch.no_grad():
        for mine, new in zip(average.state_dict().values(), network.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.mul_(keep).add_(new, alpha=1 - keep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../../../shared/data/train"))
    parser.add_argument("--teacher", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--leave-out", type=Path, nargs="*", default=[], help="lists of images not to train on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="computes in bfloat16, for processors with AMX")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(2)
    args.out.mkdir(parents=True, exist_ok=True)
    last = args.out / "last.pt"
    network = PlateFaceNet()
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(decayed(network), lr=args.rate)
    first = 0
    if args.resume:
        saved = torch.load(last, map_location="cpu")
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
    network = network.to(memory_format=torch.channels_last).train()

    excluded = {line for path in args.leave_out for line in path.read_text().split("\n") if line}
    drawer = Drawer(load_pictures(args.data, args.teacher, excluded))
    print({source: len(pictures) for source, pictures in drawer.by_source.items()}, flush=True)
    plates = draw_many(DRAWN_PLATES, args.seed)
    samples = Samples(drawer, plates, args.side, args.seed, range(first * args.batch, args.steps * args.batch))
    loader = DataLoader(
        samples, args.batch, num_workers=args.workers, collate_fn=collate, worker_init_fn=start_worker,
        prefetch_factor=4,
    )
    centres, strides = cell_centres(args.side, args.side)
    sums: dict[str, float] = {}
    began = time.time()
    for step, (planes, known) in enumerate(loader, first):
        for part in optimiser.param_groups:
            part["lr"] = rate(step, args.steps, args.rate)
        pixels = (planes.float() * PIXEL_SCALE).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            raw = network(pixels)
        parts = {}
        for group in GROUPS:
            for name, value in group_loss(raw[group].float(), known[group], centres, strides).items():
                parts[f"{group}-{name}"] = value
        total = sum(parts.values())
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        blend(average, network, step)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / 50
        if (step + 1) % 50 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in sums.items())
            shown += f" rate {rate(step, args.steps, args.rate):.5f} {(time.time() - began) / 50:.2f} s"
            print(f"step {step + 1} {shown}", flush=True)
            sums, began = {}, time.time()
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step + 1}, args.out / "new.pt")
            (args.out / "new.pt").replace(last)


if __name__ == "__main__":
    main()

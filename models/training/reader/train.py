"""Trains the reader: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint."""
import argparse
import copy
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from network import COLUMNS, PIXEL_SCALE, PIXEL_SHIFT, ROWS, PlateReader
from samples import NOBODY_KNOWS, Source, load_reals, make_sample, surroundings

sys.path.append(str(Path(__file__).resolve().parent.parent))
from course import Samples, blend, rate, start_worker  # noqa: E402

WARM_UP_STEPS = 200
AVERAGE = 0.998  # of the running average of the weights, a step
# Where drawn letters stand is known, and told at first: without it the slots take long to find out where to look.
PLACE_WEIGHT, PLACE_UNTIL = 0.3, 0.6  # the latter as a share of the training
PLACE_SPREAD = (1.0, 1.3)  # of a letter, in cells across and down


def collate(samples):
    letters = torch.stack([torch.from_numpy(answer.letters) for _, answer in samples])
    middles = torch.stack([torch.from_numpy(answer.middles) for _, answer in samples])
    return torch.stack([planes for planes, _ in samples]), letters, middles


def letter_loss(logits: torch.Tensor, letters: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of every slot; where nobody knows the letter, against all letters alike."""
    log = logits.log_softmax(2)
    known = letters != NOBODY_KNOWS
    picked = log.gather(2, letters.clamp(min=0)[..., None])[..., 0]
    return -torch.where(known, picked, log.mean(2)).mean()


def place_loss(look: torch.Tensor, middles: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of where the slots look, against a round spot on the letter's middle."""
    known = ~middles.isnan().any(2)
    if not known.any():
        return look.sum() * 0
    x, y = middles[known].T[..., None] * torch.tensor([COLUMNS, ROWS])[:, None, None]
    down = torch.arange(ROWS)[:, None].expand(ROWS, COLUMNS).flatten() + 0.5
    across = torch.arange(COLUMNS)[None].expand(ROWS, COLUMNS).flatten() + 0.5
    wanted = (-(((across - x) / PLACE_SPREAD[0]) ** 2 + ((down - y) / PLACE_SPREAD[1]) ** 2) / 2).softmax(1)
    return F.cross_entropy(look[known], wanted)


def decayed(network: torch.nn.Module) -> list[dict]:
    """Weights of convolutions and matrices are pulled to zero, biases and batch norms are not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=Path("../../../../shared/data/train/plates"))
    parser.add_argument("--texts", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="computes in bfloat16, for processors with AMX")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    # Two threads on shared cores wait for each other.
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    last = args.out / "last.pt"
    network = PlateReader()
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

    reals = load_reals(args.images, args.texts, "train")
    source = Source(reals, surroundings(reals), args.seed)
    print(f"{len(reals)} real plates, {sum(p.numel() for p in network.parameters())} parameters", flush=True)
    numbers = range(first * args.batch, args.steps * args.batch)
    samples = Samples(lambda dice: make_sample(source, dice), args.seed, numbers)
    loader = DataLoader(
        samples, args.batch, num_workers=1, collate_fn=collate, worker_init_fn=start_worker, prefetch_factor=4
    )
    sums = torch.zeros(3)
    began = time.time()
    for step, (planes, letters, middles) in enumerate(loader, first):
        for part in optimiser.param_groups:
            part["lr"] = rate(step, args.steps, args.rate, WARM_UP_STEPS)
        pixels = (planes.float() * PIXEL_SCALE + PIXEL_SHIFT).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            logits, look = network(pixels)
        logits = logits.float()
        reading, place = letter_loss(logits, letters), place_loss(look.float(), middles)
        weight = PLACE_WEIGHT * max(0.0, 1 - step / (PLACE_UNTIL * args.steps))
        optimiser.zero_grad(set_to_none=True)
        (reading + weight * place).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        blend(average, network, step, AVERAGE)
        exact = (logits.argmax(2) == letters).all(1).float().mean()
        sums += torch.stack([reading.detach(), place.detach(), exact]) / 50
        if (step + 1) % 50 == 0:
            shown = f"letters {sums[0]:.3f} places {sums[1]:.3f} exact {sums[2]:.3f}"
            print(f"step {step + 1} {shown} {(time.time() - began) / 50:.3f} s", flush=True)
            sums, began = torch.zeros(3), time.time()
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            parts = {"network": network, "average": average, "optimiser": optimiser}
            states = {name: one.state_dict() for name, one in parts.items()}
            torch.save({**states, "step": step + 1}, args.out / "new.pt")
            (args.out / "new.pt").replace(last)


if __name__ == "__main__":
    main()

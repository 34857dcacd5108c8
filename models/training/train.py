"""Trains the network: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint."""
import argparse
import copy
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from augment import make_sample
from course import Samples, blend, rate, start_worker
from data import GROUPS, Drawer, load_pictures
from loss import Known, group_loss
from network import PIXEL_SCALE, PlateFaceNet, cell_centres
from synthetic_plates import draw_many

WARM_UP_STEPS = 200
DRAWN_PLATES = 600
AVERAGE = 0.998  # of the running average of the weights, a step


def collate(samples):
    known = {
        group: [Known(o[group].boxes, o[group].corners, o[group].ignore) for _, o in samples] for group in GROUPS
    }
    return torch.stack([planes for planes, _ in samples]), known


def decayed(network: torch.nn.Module) -> list[dict]:
    """Weights of convolutions are pulled to zero, biases and batch norms are not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


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
    numbers = range(first * args.batch, args.steps * args.batch)
    samples = Samples(lambda dice: make_sample(drawer, plates, args.side, dice), args.seed, numbers)
    loader = DataLoader(
        samples, args.batch, num_workers=args.workers, collate_fn=collate, worker_init_fn=start_worker,
        prefetch_factor=4,
    )
    centres, strides = cell_centres(args.side, args.side)
    sums: dict[str, float] = {}
    began = time.time()
    for step, (planes, known) in enumerate(loader, first):
        for part in optimiser.param_groups:
            part["lr"] = rate(step, args.steps, args.rate, WARM_UP_STEPS)
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
        blend(average, network, step, AVERAGE)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / 50
        if (step + 1) % 50 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in sums.items())
            shown += f" rate {rate(step, args.steps, args.rate, WARM_UP_STEPS):.5f} {(time.time() - began) / 50:.2f} s"
            print(f"step {step + 1} {shown}", flush=True)
            sums, began = {}, time.time()
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step + 1}, args.out / "new.pt")
            (args.out / "new.pt").replace(last)


if __name__ == "__main__":
    main()

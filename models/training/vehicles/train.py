"""Fine-tunes the public weights: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint."""
import argparse
import copy
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from loss import total_loss
from mosaic import make_sample
from network import cell_corners, load_public
from pictures import load_pictures

sys.path.append(str(Path(__file__).resolve().parent.parent))
from course import Samples, blend, rate, start_worker  # noqa: E402

WARM_UP_STEPS = 20
AVERAGE = 0.98  # of the running average of the weights, a step


def collate(samples):
    return torch.stack([planes for planes, _ in samples]), [objects for _, objects in samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("public", type=Path, help="yolox_nano.onnx")
    parser.add_argument("--data", type=Path, default=Path("../../../../shared/data/train"))
    parser.add_argument("--teacher", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--leave-out", type=Path, nargs="*", default=[], help="lists of images not to train on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--side", type=int, default=416)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="computes in bfloat16, for processors with AMX")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    # Two threads on shared cores wait for each other: a step took a hundred times longer.
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    last = args.out / "last.pt"
    network = load_public(args.public)
    average = copy.deepcopy(network).eval()
    network = network.to(memory_format=torch.channels_last)
    for part in (network.stem, network.dark2):
        part.requires_grad_(False)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=args.rate, weight_decay=0.0)
    first = 0
    if args.resume:
        saved = torch.load(last, map_location="cpu")
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]

    excluded = {line for path in args.leave_out for line in path.read_text().split("\n") if line}
    by_source = load_pictures(args.data, args.teacher, excluded)
    print({source: len(pictures) for source, pictures in by_source.items()}, flush=True)
    numbers = range(first * args.batch, args.steps * args.batch)
    samples = Samples(lambda dice: make_sample(by_source, args.side, dice), args.seed, numbers)
    loader = DataLoader(
        samples, args.batch, num_workers=1, collate_fn=collate, worker_init_fn=start_worker, prefetch_factor=4
    )
    corners, strides = cell_corners(args.side, args.side)
    sums: dict[str, float] = {}
    began = time.time()
    for step, (planes, known) in enumerate(loader, first):
        for part in optimiser.param_groups:
            part["lr"] = rate(step, args.steps, args.rate, WARM_UP_STEPS)
        pixels = planes.float().to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            with torch.no_grad():
                early = network.early(pixels)
            raw = network.late(early)
        parts = total_loss(raw.float(), known, corners, strides)
        optimiser.zero_grad(set_to_none=True)
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(learning, 10.0)
        optimiser.step()
        blend(average, network, step, AVERAGE)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / 10
        if (step + 1) % 10 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in sums.items())
            print(f"step {step + 1} {shown} {(time.time() - began) / 10:.2f} s", flush=True)
            sums, began = {}, time.time()
        if (step + 1) % 50 == 0 or step + 1 == args.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step + 1}, args.out / "new.pt")
            (args.out / "new.pt").replace(last)


if __name__ == "__main__":
    main()

"""Trains the reader: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint."""
import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from network import COLUMNS, PIXEL_SCALE, PIXEL_SHIFT, ROWS, PlateReader
from samples import NOBODY_KNOWS, Source, load_reals, make_sample, surroundings

sys.path.append(str(Path(__file__).resolve().parent.parent))
from course import Course, decayed, options  # noqa: E402

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


def main() -> None:
    parser = options(__doc__, steps=6000, batch=64, rate=2e-3)
    parser.add_argument("--images", type=Path, default=Path("../../../../shared/data/train/plates"))
    parser.add_argument("--texts", type=Path, required=True, help="from teacher.py")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    # Two threads on shared cores wait for each other.
    torch.set_num_threads(1)
    network = PlateReader()
    course = Course(network, decayed(network), args, warm_up=200, average=0.998, largest=5.0)
    network.train()

    reals = load_reals(args.images, args.texts, "train")
    source = Source(reals, surroundings(reals), args.seed)
    print(f"{len(reals)} real plates, {sum(p.numel() for p in network.parameters())} parameters", flush=True)
    for step, (planes, letters, middles) in course.batches(lambda dice: make_sample(source, dice), collate):
        pixels = (planes.float() * PIXEL_SCALE + PIXEL_SHIFT).to(memory_format=torch.channels_last)
        with course.computing():
            logits, look = network(pixels)
        logits = logits.float()
        reading, place = letter_loss(logits, letters), place_loss(look.float(), middles)
        weight = PLACE_WEIGHT * max(0.0, 1 - step / (PLACE_UNTIL * args.steps))
        course.learn(step, reading + weight * place)
        exact = (logits.argmax(2) == letters).all(1).float().mean()
        course.tell(step, {"letters": reading, "places": place, "exact": exact}, 50)
        course.save(step, 200)


if __name__ == "__main__":
    main()

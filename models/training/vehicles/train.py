"""Fine-tunes the public weights: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint."""
import sys
from pathlib import Path

import torch

from loss import total_loss
from mosaic import make_sample
from network import cell_corners, load_public
from pictures import load_pictures

sys.path.append(str(Path(__file__).resolve().parent.parent))
from course import Course, left_out, options  # noqa: E402


def collate(samples):
    return torch.stack([planes for planes, _ in samples]), [objects for _, objects in samples]


def main() -> None:
    parser = options(__doc__, steps=600, batch=12, rate=3e-4)
    parser.add_argument("public", type=Path, help="yolox_nano.onnx")
    parser.add_argument("--data", type=Path, default=Path("../../../../shared/data/train"))
    parser.add_argument("--teacher", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--leave-out", type=Path, nargs="*", default=[], help="lists of images not to train on")
    parser.add_argument("--side", type=int, default=416)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    # Two threads on shared cores wait for each other: a step took a hundred times longer.
    torch.set_num_threads(1)
    network = load_public(args.public)
    for part in (network.stem, network.dark2):
        part.requires_grad_(False)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    course = Course(network, learning, args, warm_up=20, average=0.98, largest=10.0)

    by_source = load_pictures(args.data, args.teacher, left_out(args.leave_out))
    print({source: len(pictures) for source, pictures in by_source.items()}, flush=True)
    corners, strides = cell_corners(args.side, args.side)
    for step, (planes, known) in course.batches(lambda dice: make_sample(by_source, args.side, dice), collate):
        pixels = planes.float().to(memory_format=torch.channels_last)
        with course.computing():
            with torch.no_grad():
                early = network.early(pixels)
            raw = network.late(early)
        parts = total_loss(raw.float(), known, corners, strides)
        course.learn(step, sum(parts.values()))
        course.tell(step, parts, 10)
        course.save(step, 50)


if __name__ == "__main__":
    main()

"""
Trains the network: `python train.py --out FOLDER`; `--resume` goes on from the folder's last checkpoint. `--from ONNX` starts from
an exported network instead of random weights, `--fine ONNX` trains the fine network from the public YOLOX-nano; both have to be said
again with `--resume`.
"""
from pathlib import Path

import torch

from augment import make_sample
from course import Course, decayed, left_out, options
from data import GROUPS, Drawer, load_pictures, load_rendered
from fine import FineNet
from loss import Known, group_loss
from network import PlateFaceNet, cell_centres
from shipped import load_shipped
from synthetic_plates import draw_many

DRAWN_PLATES = 600


def collate(samples):
    known = {
        group: [Known(o[group].boxes, o[group].corners, o[group].ignore) for _, o in samples] for group in GROUPS
    }
    return torch.stack([planes for planes, _ in samples]), known


def main() -> None:
    parser = options(__doc__, steps=7000, batch=16, rate=2e-3)
    parser.add_argument("--data", type=Path, default=Path("../../../shared/data/train"))
    parser.add_argument("--teacher", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--leave-out", type=Path, nargs="*", default=[], help="lists of images not to train on")
    parser.add_argument("--rendered", type=Path, help="folder from render.py")
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2, help="fewer wait less for each other on a busy machine")
    parser.add_argument("--from", dest="start", type=Path, help="float32 network from export.py")
    parser.add_argument("--fine", type=Path, help="yolox_nano.onnx")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    network = FineNet(args.fine) if args.fine else PlateFaceNet()
    if args.start:
        load_shipped(network, args.start)
    course = Course(network, decayed(network), args, warm_up=200, average=0.998, largest=10.0)
    network.train()

    pictures = load_pictures(args.data, args.teacher, left_out(args.leave_out))
    drawer = Drawer(pictures + (load_rendered(args.rendered) if args.rendered else []))
    print({source: len(pictures) for source, pictures in drawer.by_source.items()}, flush=True)
    plates = draw_many(DRAWN_PLATES, args.seed)
    centres, strides = cell_centres(args.side, args.side)
    for step, (planes, known) in course.batches(lambda dice: make_sample(drawer, plates, args.side, dice), collate):
        pixels = (planes.float() * network.pixel_scale).to(memory_format=torch.channels_last)
        with course.computing():
            raw = network(pixels)
        parts = {}
        for group in GROUPS:
            for name, value in group_loss(raw[group].float(), known[group], centres, strides).items():
                parts[f"{group}-{name}"] = value
        course.learn(step, sum(parts.values()))
        course.tell(step, parts, 50)
        course.save(step, 100)


if __name__ == "__main__":
    main()

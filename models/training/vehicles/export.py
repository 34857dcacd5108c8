"""Writes a checkpoint's averaged weights, or the public ones, as ONNX: uint8 planes in, decoded objects out."""
import argparse
import sys
from pathlib import Path

import torch
from torch import nn

from network import VehicleNet, cell_corners, decode_boxes, load_public

sys.path.append(str(Path(__file__).resolve().parent.parent))
from blocks import write_onnx  # noqa: E402


class Exported(nn.Module):
    """
    `image` uint8 [1, 3, H, W], planes G, B, R -> `objects` [N, 10]: centre x, centre y, width, height in pixels of the input,
    then a score 0-1 for each of person, bicycle, car, motorcycle, bus, truck.
    """

    def __init__(self, network: VehicleNet):
        super().__init__()
        self.network = network.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raw = self.network(image.float())
        boxes = decode_boxes(raw, *cell_corners(image.shape[2], image.shape[3]))
        scores = raw[:, 5:].sigmoid() * raw[:, 4:5].sigmoid()
        return torch.cat([boxes, scores], 1)[0].transpose(0, 1)


def export(network: VehicleNet, path: str) -> None:
    image = torch.zeros(1, 3, 96, 128, dtype=torch.uint8)
    axes = {"image": {2: "height", 3: "width"}, "objects": {0: "cells"}}
    write_onnx(Exported(network), image, path, ("image", ["objects"]), axes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="a checkpoint, or yolox_nano.onnx")
    parser.add_argument("onnx")
    args = parser.parse_args()
    if args.weights.suffix == ".onnx":
        network = load_public(args.weights)
    else:
        network = VehicleNet()
        network.load_state_dict(torch.load(args.weights, map_location="cpu")["average"])
    export(network, args.onnx)


if __name__ == "__main__":
    main()

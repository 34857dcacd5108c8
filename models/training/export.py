"""Writes a checkpoint's averaged weights as ONNX: uint8 planes in, decoded boxes out, batch norm folded."""
import argparse

import torch
from torch import nn

from blocks import fold, load, write_onnx
from fine import FineNet
from network import GROUPS, PIXEL_SCALE, PlateFaceNet, cell_centres, decode


class Exported(nn.Module):
    """
    `image` uint8 [1, 3, H, W], planes G, B, R -> `plates` [N, 13] and `faces` [N, 5]: score 0-1, centre x, centre y, width,
    height, and for plates four corners x, y clockwise from the top left, all in pixels of the input.
    """

    def __init__(self, network: PlateFaceNet | FineNet):
        super().__init__()
        self.network = network.eval()
        if isinstance(network, PlateFaceNet):
            fold(network)
            # The first convolution takes pixels as they are.
            network.stem[0].weight.data *= PIXEL_SCALE

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        raw = self.network(image.float())
        centres, strides = cell_centres(image.shape[2], image.shape[3])
        return tuple(decode(raw[group], centres, strides)[0].transpose(0, 1) for group in GROUPS)


def export(network: PlateFaceNet | FineNet, path: str) -> None:
    image = torch.zeros(1, 3, 96, 128, dtype=torch.uint8)
    axes = {"image": {2: "height", 3: "width"}, **{group: {0: "cells"} for group in GROUPS}}
    write_onnx(Exported(network), image, path, ("image", list(GROUPS)), axes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    parser.add_argument("--fine", action="store_true", help="the checkpoint is of the fine network")
    args = parser.parse_args()
    network = FineNet() if args.fine else PlateFaceNet()
    load(network, torch.load(args.checkpoint, map_location="cpu")["average"])
    export(network, args.onnx)


if __name__ == "__main__":
    main()

"""Writes a checkpoint's averaged weights as ONNX: uint8 planes in, decoded boxes out, batch norm folded."""
import argparse
import inspect

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from network import GROUPS, PIXEL_SCALE, Conv, PlateFaceNet, cell_centres, decode

OPSET = 13


class Exported(nn.Module):
    """
    `image` uint8 [1, 3, H, W], planes G, B, R -> `plates` [N, 13] and `faces` [N, 5]: score 0-1, centre x, centre y, width,
    height, and for plates four corners x, y clockwise from the top left, all in pixels of the input.
    """

    def __init__(self, network: PlateFaceNet):
        super().__init__()
        self.network = fold(network.eval())

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        raw = self.network(image.float())
        centres, strides = cell_centres(image.shape[2], image.shape[3])
        return tuple(decode(raw[group], centres, strides)[0].transpose(0, 1) for group in GROUPS)


def fold(network: PlateFaceNet) -> PlateFaceNet:
    """Merges each batch norm into the convolution before it, and the scale of the pixels into the first convolution."""
    for module in network.modules():
        if isinstance(module, Conv):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    network.stem[0].weight.data *= PIXEL_SCALE
    return network


def export(network: PlateFaceNet, path: str) -> None:
    image = torch.zeros(1, 3, 96, 128, dtype=torch.uint8)
    # Newer versions of torch would use another exporter, which needs packages that Debian lacks.
    older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(
        Exported(network),
        (image,),
        path,
        opset_version=OPSET,
        input_names=["image"],
        output_names=list(GROUPS),
        dynamic_axes={"image": {2: "height", 3: "width"}, **{group: {0: "cells"} for group in GROUPS}},
        **older,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    args = parser.parse_args()
    network = PlateFaceNet()
    network.load_state_dict(torch.load(args.checkpoint, map_location="cpu")["average"])
    export(network, args.onnx)


if __name__ == "__main__":
    main()

"""Writes a checkpoint's averaged weights as ONNX: crops in, probabilities of letters out, batch norm folded."""
import argparse
import inspect

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from network import HEIGHT, PIXEL_SCALE, PIXEL_SHIFT, WIDTH, Conv, PlateReader

OPSET = 13


class Exported(nn.Module):
    """`plates` uint8 [batch, 64, 128, 3], R, G, B interleaved -> `letters` [batch, 9, 37]: probabilities."""

    def __init__(self, network: PlateReader):
        super().__init__()
        self.network = fold(network.eval())

    def forward(self, plates: torch.Tensor) -> torch.Tensor:
        # Shifted before the convolution: its padding stands for the middle grey that it was trained with.
        pixels = plates.permute(0, 3, 1, 2).float() + PIXEL_SHIFT / PIXEL_SCALE
        return self.network(pixels)[0].softmax(2)


def fold(network: PlateReader) -> PlateReader:
    """Merges batch norms into convolutions; scale and order of the colours (trained as G, B, R) into the first one."""
    for module in network.modules():
        if isinstance(module, Conv):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    first = network.stem[0]
    first.weight.data = first.weight.data[:, [2, 0, 1]] * PIXEL_SCALE
    return network


def export(network: PlateReader, path: str) -> None:
    # Newer versions of torch would use another exporter, which needs packages that Debian lacks.
    older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(
        Exported(network),
        (torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8),),
        path,
        opset_version=OPSET,
        input_names=["plates"],
        output_names=["letters"],
        dynamic_axes={"plates": {0: "batch"}, "letters": {0: "batch"}},
        **older,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    args = parser.parse_args()
    network = PlateReader()
    network.load_state_dict(torch.load(args.checkpoint, map_location="cpu")["average"])
    export(network, args.onnx)


if __name__ == "__main__":
    main()

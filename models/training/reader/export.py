"""Writes a checkpoint's averaged weights as ONNX: crops in, probabilities of letters out, batch norm folded."""
import argparse

import torch
from torch import nn

from network import HEIGHT, PIXEL_SCALE, PIXEL_SHIFT, WIDTH, PlateReader
from blocks import fold, write_onnx


class Exported(nn.Module):
    """`plates` uint8 [batch, 64, 128, 3], R, G, B interleaved -> `letters` [batch, 9, 37]: probabilities."""

    def __init__(self, network: PlateReader):
        super().__init__()
        self.network = network.eval()
        fold(network)
        # The first convolution takes the scale of pixels and the order of their colours, trained as G, B, R.
        first = network.stem[0]
        first.weight.data = first.weight.data[:, [2, 0, 1]] * PIXEL_SCALE

    def forward(self, plates: torch.Tensor) -> torch.Tensor:
        # Shifted before the convolution: its padding stands for the middle grey that it was trained with.
        pixels = plates.permute(0, 3, 1, 2).float() + PIXEL_SHIFT / PIXEL_SCALE
        return self.network(pixels)[0].softmax(2)


def export(network: PlateReader, path: str) -> None:
    crops = torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    write_onnx(Exported(network), crops, path, ("plates", ["letters"]), {"plates": {0: "batch"}, "letters": {0: "batch"}})


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

"""
The fine network, which looks at pictures that stand alone: backbone and pyramid of YOLOX-nano (Megvii, Apache-2.0), which know the world from COCO's
pictures, with heads for plates and faces. It finds more than the small one and takes three times as long.
"""
import copy
from pathlib import Path

import torch
from torch import nn

from network import COLUMNS, GROUPS, begin_as_background
from vehicles.network import VehicleNet, load_public

WIDTH = 64  # channels of a head


class Branch(nn.Module):
    """One group's branch at one level: YOLOX's two separable convolutions, then score, box and corners for each cell."""

    def __init__(self, body: nn.Module, columns: int):
        super().__init__()
        self.body, self.out = copy.deepcopy(body), nn.Conv2d(WIDTH, columns, 1)
        begin_as_background(self.out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.body(x))


class FineNet(nn.Module):
    """
    [B, 3, H, W] pixels 0-255 in the order G, B, R, H and W multiples of 32 -> the same as PlateFaceNet.

    @param public yolox_nano.onnx; without it the weights are to be loaded
    """

    pixel_scale = 1.0

    def __init__(self, public: Path | None = None):
        super().__init__()
        self.base = load_public(public) if public else VehicleNet()
        heads = self.base.heads
        del self.base.heads
        self.stems = nn.ModuleList(head.stem for head in heads)
        # Both bodies of YOLOX know things: one where they end, the other what they are.
        bodies = {"plates": [head.box_body for head in heads], "faces": [head.class_body for head in heads]}
        self.branches = nn.ModuleDict(
            {group: nn.ModuleList(Branch(body, COLUMNS[group]) for body in bodies[group]) for group in GROUPS}
        )
        # What the public weights know of edges and colours stays as it is.
        for part in (self.base.stem, self.base.dark2):
            part.requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            early = self.base.early(pixels)
        levels = [stem(level) for stem, level in zip(self.stems, self.base.levels(early))]
        return {
            group: torch.cat([branch(level).flatten(2) for branch, level in zip(branches, levels)], 2)
            for group, branches in self.branches.items()
        }

"""YOLOX-nano (Megvii, Apache-2.0) for six classes, with the public weights' batch norm already folded into its convolutions."""
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
COCO_ROWS = (0, 1, 2, 3, 5, 7)  # the same classes among the public network's 80
STRIDES = (8, 16, 32)
WIDTHS = (64, 128, 256)  # channels of the backbone's three levels
MAX_LOG_SIZE = 5.0  # of a box's side in strides


class Conv(nn.Module):
    """Convolution and SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(self.conv(x))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 within each channel, then 1x1 across them."""
    return nn.Sequential(Conv(inputs, inputs, 3, stride, groups=inputs), Conv(inputs, outputs))


class Bottleneck(nn.Module):
    def __init__(self, width: int, shortcut: bool):
        super().__init__()
        self.body, self.shortcut = nn.Sequential(Conv(width, width), separable(width, width)), shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + x if self.shortcut else self.body(x)


class CrossStage(nn.Module):
    """Half of the channels take the bottlenecks, half go past them."""

    def __init__(self, inputs: int, outputs: int, count: int, shortcut: bool):
        super().__init__()
        half = outputs // 2
        self.inner, self.outer = Conv(inputs, half), Conv(inputs, half)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(count)))
        self.join = Conv(outputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join(torch.cat([self.blocks(self.inner(x)), self.outer(x)], 1))


class Pyramid(nn.Module):
    """Maxima over 5, 9 and 13 cells, the larger two from the smaller one."""

    def __init__(self, width: int):
        super().__init__()
        self.squeeze, self.join = Conv(width, width // 2), Conv(width * 2, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = [self.squeeze(x)]
        for _ in range(3):
            levels.append(F.max_pool2d(levels[-1], 5, 1, 2))
        return self.join(torch.cat(levels, 1))


class Head(nn.Module):
    """x, y, log w, log h in strides, objectness logit, six class logits of one level's cells: [B, 11, N]."""

    def __init__(self, width: int):
        super().__init__()
        self.stem = Conv(width, 64)
        self.class_body = nn.Sequential(separable(64, 64), separable(64, 64))
        self.class_out = nn.Conv2d(64, len(CLASSES), 1)
        self.box_body = nn.Sequential(separable(64, 64), separable(64, 64))
        self.box_out, self.object_out = nn.Conv2d(64, 4, 1), nn.Conv2d(64, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        box = self.box_body(x)
        return torch.cat([self.box_out(box), self.object_out(box), self.class_out(self.class_body(x))], 1).flatten(2)


class VehicleNet(nn.Module):
    """
    float32 [B, 3, H, W], 0-255, planes G, B, R, H and W multiples of 32 -> [B, 11, N], N = cells of strides 8, 16, 32.

    Modules stand in the order of the public graph's convolutions, which `load_public` relies on.
    """

    def __init__(self):
        super().__init__()
        # The public network rearranges 2x2 pixels into channels and convolves them 3x3, which is the same as this.
        self.stem = nn.Conv2d(3, 16, 6, 2, 2)
        self.dark2 = nn.Sequential(separable(16, 32, 2), CrossStage(32, 32, 1, True))
        self.dark3 = nn.Sequential(separable(32, 64, 2), CrossStage(64, 64, 3, True))
        self.dark4 = nn.Sequential(separable(64, 128, 2), CrossStage(128, 128, 3, True))
        self.dark5 = nn.Sequential(separable(128, 256, 2), Pyramid(256), CrossStage(256, 256, 1, False))
        self.lateral5 = Conv(256, 128)
        self.down4 = CrossStage(256, 128, 1, False)
        self.lateral4 = Conv(128, 64)
        self.down3 = CrossStage(128, 64, 1, False)
        self.step3 = separable(64, 64, 2)
        self.up4 = CrossStage(128, 128, 1, False)
        self.step4 = separable(128, 128, 2)
        self.up5 = CrossStage(256, 256, 1, False)
        self.heads = nn.ModuleList(Head(width) for width in WIDTHS)

    def early(self, pixels: torch.Tensor) -> torch.Tensor:
        """Strides 2 and 4: what the public weights know of edges and colours stays as it is."""
        return self.dark2(F.silu(self.stem(pixels)))

    def levels(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The pyramid's three levels, from what `early` gives."""
        level3 = self.dark3(x)
        level4 = self.dark4(level3)
        lateral5 = self.lateral5(self.dark5(level4))
        lateral4 = self.lateral4(self.down4(torch.cat([double(lateral5), level4], 1)))
        out3 = self.down3(torch.cat([double(lateral4), level3], 1))
        out4 = self.up4(torch.cat([self.step3(out3), lateral4], 1))
        return [out3, out4, self.up5(torch.cat([self.step4(out4), lateral5], 1))]

    def late(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([head(x) for head, x in zip(self.heads, self.levels(x))], 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.late(self.early(pixels))


def double(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def cell_corners(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Top left corners [2, N] (x, y in pixels) and strides [1, N] of the cells, in the order of the network's output."""
    corners, strides = [], []
    for stride in STRIDES:
        y = torch.arange(0, height, stride).float()[:, None]
        x = torch.arange(0, width, stride).float()[None, :]
        corner = torch.stack([x + y * 0, y + x * 0]).reshape(2, -1)
        corners.append(corner)
        strides.append(corner[:1] * 0 + stride)
    return torch.cat(corners, 1), torch.cat(strides, 1)


def decode_boxes(raw: torch.Tensor, corners: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Raw [B, 11, N] to centre x, centre y, width, height in pixels [B, 4, N]."""
    size = raw[:, 2:4].clamp(max=MAX_LOG_SIZE).exp() * strides
    return torch.cat([corners + raw[:, :2] * strides, size], 1)


def load_public(path: Path) -> VehicleNet:
    """The public network's weights, `yolox_nano.onnx` of opencv_zoo, reduced to our classes and reordered to G, B, R."""
    graph = onnx.load(str(path)).graph
    values = {one.name: torch.tensor(numpy_helper.to_array(one)) for one in graph.initializer}
    named = [node.input[1:3] for node in graph.node if node.op_type == "Conv"]
    network = VehicleNet()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if len(named) != len(convolutions):
        raise SystemExit(f"{path} has {len(named)} convolutions, not {len(convolutions)}")
    for convolution, (weight, bias) in zip(convolutions, named):
        weight, bias = values[weight], values[bias]
        if weight.shape[0] == 80:
            weight, bias = weight[list(COCO_ROWS)], bias[list(COCO_ROWS)]
        if weight.shape[1:] == (12, 3, 3):
            weight = spread_focus(weight)[:, [1, 0, 2]]
        convolution.weight.data.copy_(weight.reshape(convolution.weight.shape))
        convolution.bias.data.copy_(bias)
    return network


def spread_focus(weight: torch.Tensor) -> torch.Tensor:
    """[O, 12, 3, 3] over 2x2 pixels as channels (top left, bottom left, top right, bottom right) to [O, 3, 6, 6]."""
    spread = weight.new_zeros(len(weight), 3, 6, 6)
    for at, (down, right) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        spread[:, :, down::2, right::2] = weight[:, 3 * at : 3 * at + 3]
    return spread

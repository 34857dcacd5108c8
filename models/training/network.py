"""The network: one backbone, a top-down pyramid, and two light heads a level, for plates and for faces.

Only dense 3x3 and 1x1 convolutions with ReLU: ONNX Runtime fuses them on a CPU, where depthwise ones and SiLU are slow.
"""
import torch
from torch import nn
from torch.nn import functional as F

from blocks import Conv, Residual

STRIDES = (8, 16, 32)
GROUPS = ("plates", "faces")
# Values a cell: score, box (4), and for plates the four corners (8).
COLUMNS = {"plates": 13, "faces": 5}
# Pixels (0-255) are brought to 0-2; the export puts this into the first convolution's weights.
PIXEL_SCALE = 1 / 128
# log(size / stride) is kept within these, so that an untrained cell gives no infinite box.
MIN_LOG_SIZE, MAX_LOG_SIZE = -4.0, 5.0


def begin_as_background(out: nn.Conv2d) -> None:
    """Gives a head's last convolution its first weights: nearly every cell is background."""
    nn.init.normal_(out.weight, std=0.01)
    nn.init.zeros_(out.bias)
    nn.init.constant_(out.bias[:1], -4.6)  # a score of 0.01


class Head(nn.Module):
    """One group's branch at one level: a convolution, then score, box and corners for each cell."""

    def __init__(self, inputs: int, width: int, columns: int):
        super().__init__()
        self.mix = Conv(inputs, width)
        self.out = nn.Conv2d(width, columns, 1)
        begin_as_background(self.out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.mix(x))


class PlateFaceNet(nn.Module):
    """
    [B, 3, H, W] pixels in the order G, B, R times PIXEL_SCALE, H and W multiples of 32 -> for each group raw values
    [B, columns, N], N = cells of strides 8, 16 and 32: score logit, centre x and y as offsets from the cell's centre in
    strides, logarithm of width and height in strides, corners as offsets from the cell's centre in strides.
    """

    pixel_scale = PIXEL_SCALE

    def __init__(self):
        super().__init__()
        # No batch norm at the largest size: it would take a quarter of the training's time.
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(inplace=True), Conv(16, 32, stride=2))
        self.stage8 = nn.Sequential(Conv(32, 64, stride=2), Residual(64, 32))
        self.stage16 = nn.Sequential(Conv(64, 96, stride=2), Residual(96, 48), Residual(96, 48))
        self.stage32 = nn.Sequential(Conv(96, 128, stride=2), Residual(128, 64))
        width = 48
        self.lateral8, self.lateral16, self.lateral32 = Conv(64, width, 1), Conv(96, width, 1), Conv(128, width, 1)
        self.smooth16, self.smooth32 = Conv(width, width), Conv(width, width)
        self.heads = nn.ModuleDict(
            {group: nn.ModuleList([Head(width, 32, COLUMNS[group]) for _ in STRIDES]) for group in GROUPS}
        )

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        level8 = self.stage8(self.stem(pixels))
        level16 = self.stage16(level8)
        level32 = self.stage32(level16)
        p32 = self.smooth32(self.lateral32(level32))
        p16 = self.smooth16(self.lateral16(level16) + F.interpolate(p32, scale_factor=2.0, mode="nearest"))
        p8 = self.lateral8(level8) + F.interpolate(p16, scale_factor=2.0, mode="nearest")
        return {
            group: torch.cat([head(level).flatten(2) for head, level in zip(self.heads[group], (p8, p16, p32))], 2)
            for group in GROUPS
        }


def cell_centres(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres [2, N] (x, y in pixels) and strides [1, N] of all levels' cells, in the order of the network's output."""
    centres, strides = [], []
    for stride in STRIDES:
        y = torch.arange(0, height, stride).float()[:, None] + stride / 2
        x = torch.arange(0, width, stride).float()[None, :] + stride / 2
        centre = torch.stack([x + y * 0, y + x * 0]).reshape(2, -1)
        centres.append(centre)
        strides.append(centre[:1] * 0 + stride)
    return torch.cat(centres, 1), torch.cat(strides, 1)


def decode(raw: torch.Tensor, centres: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Raw values [B, columns, N] to score (0-1), centre x, centre y, width, height, corners in pixels, [B, columns, N]."""
    middle = centres + raw[:, 1:3] * strides
    size = raw[:, 3:5].clamp(MIN_LOG_SIZE, MAX_LOG_SIZE).exp() * strides
    corners = centres.repeat(4, 1) + raw[:, 5:] * strides if raw.shape[1] == COLUMNS["plates"] else raw[:, 5:]
    return torch.cat([raw[:, :1].sigmoid(), middle, size, corners], 1)

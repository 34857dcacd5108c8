"""The network: a small backbone, a look over the whole plate that says where letters stand, one way to read them.

Only dense convolutions, ReLU and matrix products: ONNX Runtime is fast at them on a CPU.
"""
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).resolve().parent.parent))
from blocks import Conv, Residual  # noqa: E402

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
PADDING = ALPHABET.index("_")
SLOTS = 9
WIDTH, HEIGHT = 128, 64
ROWS, COLUMNS = 8, 32  # of the map of features
KEY, VALUE = 40, 96  # numbers that say what a cell is, and what stands in it
# Pixels (0-255) are brought to -1 to 1; the export puts this into the first convolution's weights.
PIXEL_SCALE, PIXEL_SHIFT = 1 / 128, -1.0


class PlateReader(nn.Module):
    """
    [B, 3, 64, 128] pixels in the order G, B, R, -1 to 1 -> logits of the letters [B, 9, 37] and of the places where the
    slots look [B, 9, 256], cells 4 pixels wide and 8 high, row after row.

    The whole plate, seen coarsely, says for each slot what to look for; a slot looks where the features answer to that.
    All slots read with the same weights: a letter learned at one place is known at every other.
    """

    def __init__(self):
        super().__init__()
        # No batch norm and no second convolution at the largest size: they would take a quarter of the training's time.
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(inplace=True), Conv(16, 32, stride=2))
        self.letters = nn.Sequential(
            Conv(32, 64), Residual(64, 32), Conv(64, 96, stride=(2, 1)), Residual(96, 64), Residual(96, 64)
        )
        self.overview = nn.Sequential(Conv(96, 48, stride=2), Conv(48, 32, stride=2), nn.Flatten())
        self.plan = nn.Sequential(nn.Linear(32 * ROWS // 4 * COLUMNS // 4, 96), nn.ReLU(inplace=True))
        self.query = nn.Linear(96, SLOTS * KEY)
        self.key = nn.Conv2d(96, KEY, 1)
        self.place = nn.Parameter(torch.randn(KEY, ROWS * COLUMNS) * 0.5)
        self.value = nn.Conv2d(96, VALUE, 1)
        self.expect = nn.Linear(96, SLOTS * VALUE)
        self.out = nn.Linear(VALUE, len(ALPHABET))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.letters(self.stem(pixels))
        plan = self.plan(self.overview(features))
        query = self.query(plan).unflatten(1, (SLOTS, -1))
        keys = self.key(features).flatten(2) + self.place
        look = query @ keys * KEY**-0.5
        seen = look.softmax(2) @ self.value(features).flatten(2).transpose(1, 2)
        expected = self.expect(plan).unflatten(1, (SLOTS, -1))
        return self.out(F.relu(seen + expected)), look

"""Plates as the daemon shows them to the network: the box grown by 6 %, squeezed to 128x64 whatever its shape."""
import json
from pathlib import Path

import cv2
import numpy as np

from network import HEIGHT, WIDTH

GROWTH = 0.06  # of the box's size, on each side, as src/plates/read.ts does it


def grow(box: np.ndarray, across: float, down: float | None = None) -> np.ndarray:
    """A box (left, top, right, bottom) with more on each side, in shares of its width and height."""
    width, height = box[2] - box[0], box[3] - box[1]
    down = across if down is None else down
    return np.array([box[0] - across * width, box[1] - down * height, box[2] + across * width, box[3] + down * height])


def cut(pixels: np.ndarray, box: np.ndarray) -> np.ndarray:
    """uint8 [64, 128, 3] of a box, scaled bilinearly from the middles of the pixels, edges repeated."""
    left, top, right, bottom = box
    across, down = (right - left) / WIDTH, (bottom - top) / HEIGHT
    matrix = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def straighten(pixels: np.ndarray, corners: np.ndarray, growth: float) -> np.ndarray:
    """uint8 [64, 128, 3] of four corners, clockwise from the top left, and a little around them."""
    left, top = WIDTH * growth / (1 + 2 * growth), HEIGHT * growth / (1 + 2 * growth)
    right, bottom = WIDTH - left, HEIGHT - top
    places = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), places)
    return cv2.warpPerspective(pixels, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)


def save(crops: list[np.ndarray], notes: list[dict], stem: Path) -> None:
    """Writes STEM.rgb, which `read.mjs` and `measure.mjs` read, and STEM.json: what is known about each crop."""
    stem.with_suffix(".rgb").write_bytes(np.ascontiguousarray(np.stack(crops)[..., ::-1]).tobytes())
    stem.with_suffix(".json").write_text(json.dumps(notes))

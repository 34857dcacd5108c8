"""One training sample from one to nine pictures, each scaled, turned, mirrored, cropped and spoilt."""
import math
import random
import sys
from pathlib import Path

import cv2
import numpy as np

from pictures import RARE, RARE_WORTH, Objects, Picture, draw

sys.path.append(str(Path(__file__).resolve().parent.parent))
from spoil import spoil_sample, spoil_tile  # noqa: E402

# Tiles a side and how often.
GRIDS, GRID_SHARES = (1, 2, 3), (0.5, 0.4, 0.1)
# Of a picture, against lying whole in its tile.
ZOOM = {"vehicles": (0.8, 4.0), "plates": (0.5, 1.5), "faces": (0.6, 2.0)}
MIN_HEIGHT = 6.0  # pixels; smaller objects are neither asked for nor forbidden
MIN_VISIBLE = 0.3  # share of an object within its tile from which it is asked for
GREY = (114, 114, 114)


def make_sample(by_source: dict[str, list[Picture]], side: int, dice: random.Random) -> tuple[np.ndarray, Objects]:
    """A sample uint8 [side, side, 3] (B G R) and its objects."""
    grid = dice.choices(GRIDS, GRID_SHARES)[0]
    canvas = np.empty((side, side, 3), np.uint8)
    cuts = [round(side * at / grid) for at in range(grid + 1)]
    parts = []
    for top, bottom in zip(cuts, cuts[1:]):
        for left, right in zip(cuts, cuts[1:]):
            tile, objects = make_tile(draw(by_source, dice), right - left, bottom - top, dice)
            canvas[top:bottom, left:right] = tile
            by = np.array([left, top, left, top], np.float32)
            parts.append((objects.boxes + by, objects.classes, objects.ignore + by))
    return spoil_sample(canvas, dice), Objects(*(np.concatenate(part) for part in zip(*parts)))


def make_tile(picture: Picture, width: int, height: int, dice: random.Random) -> tuple[np.ndarray, Objects]:
    image_height, image_width = picture.pixels.shape[:2]
    least, most = ZOOM[picture.source]
    scale = min(width / image_width, height / image_height) * math.exp(dice.uniform(math.log(least), math.log(most)))
    pixels, shrunk = picture.pixels, 1.0
    if scale < 0.6:
        shrunk = max(scale, 0.05) * 1.2
        pixels = cv2.resize(pixels, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    matrix = place(picture, width, height, scale, dice)
    tile = cv2.warpAffine(
        pixels, (matrix @ np.diag([1 / shrunk, 1 / shrunk, 1]))[:2], (width, height), flags=cv2.INTER_LINEAR,
        borderValue=GREY if dice.random() < 0.8 else (0, 0, 0),
    )
    objects = moved(picture.objects, matrix, width, height)
    return spoil_tile(tile, list(objects.boxes), dice), objects


def place(picture: Picture, width: int, height: int, scale: float, dice: random.Random) -> np.ndarray:
    """The 3x3 matrix from the picture's pixels to the tile's."""
    image_height, image_width = picture.pixels.shape[:2]
    focus = np.array([dice.uniform(0, image_width), dice.uniform(0, image_height)])
    if len(picture.objects.boxes) and dice.random() < 0.6:
        worth = [1 + RARE_WORTH * rare for rare in np.isin(picture.objects.classes, RARE)]
        box = dice.choices(list(picture.objects.boxes), worth)[0]
        focus = (box[:2] + box[2:]) / 2
    upside_down = -1 if dice.random() < (0.12 if picture.source == "plates" else 0.02) else 1
    mirror = -1 if dice.random() < 0.5 else 1
    angle = math.radians(dice.gauss(0, 3))
    if picture.source == "plates" and dice.random() < 0.06:
        angle += dice.choice([-1, 1]) * math.pi / 2
    stretch = math.exp(dice.gauss(0, 0.1))
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.eye(3)
    matrix[:2, :2] = np.array([[cos, -sin], [sin, cos]]) @ np.diag([scale * stretch * mirror, scale / stretch * upside_down])
    edges = matrix[:2, :2] @ np.array([[0, image_width, 0, image_width], [0, 0, image_height, image_height]])
    for axis, size in enumerate((width, height)):
        low, span = edges[axis].min(), np.ptp(edges[axis])
        start = dice.uniform(0.2, 0.8) * size - (matrix[axis, :2] @ focus - low)
        # No gap where the picture is large enough, and nothing cut off where it is not.
        matrix[axis, 2] = min(max(start, min(0.0, size - span)), max(0.0, size - span)) - low
    return matrix


def moved(objects: Objects, matrix: np.ndarray, width: int, height: int) -> Objects:
    """The objects after the matrix, clipped to the tile; what hardly shows or is too small is to be ignored."""
    turned = abs(matrix[0, 1]) > abs(matrix[0, 0])
    slack = 0.0 if turned else abs(math.atan2(abs(matrix[0, 1]), abs(matrix[0, 0])))
    boxes, classes, ignore = [], [], []
    for at, (left, top, right, bottom) in enumerate(np.concatenate([objects.boxes, objects.ignore])):
        points = np.array([[left, right, right, left], [top, top, bottom, bottom], [1, 1, 1, 1]])
        points = (matrix @ points)[:2]
        whole = np.concatenate([points.min(1), points.max(1)])
        # A turned box's hull is larger than the object in it; half of the excess is a fair guess.
        excess = np.sin(slack) * (whole[2:] - whole[:2])[::-1] / 4
        whole += np.concatenate([excess, -excess])
        seen = whole.clip(0, [width, height, width, height])
        if (seen[2:] - seen[:2]).min() < 1:
            continue
        share = np.prod(seen[2:] - seen[:2]) / np.prod(whole[2:] - whole[:2])
        if at >= len(objects.boxes) or share < MIN_VISIBLE or whole[3] - whole[1] < MIN_HEIGHT:
            ignore.append(seen)
        else:
            boxes.append(seen)
            classes.append(objects.classes[at])
    return Objects(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int64),
        np.array(ignore, np.float32).reshape(-1, 4),
    )

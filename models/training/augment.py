"""One training sample from several pictures: a grid of tiles, each a picture scaled, turned, cropped and spoilt."""
import math
import random

import cv2
import numpy as np

from data import GROUPS, Drawer, Objects, Picture
from dress import dress
from spoil import spoil_sample, spoil_tile

# Tiles a side and how often. A picture fills its tile, so that more tiles mean smaller objects.
GRIDS, GRID_SHARES = (1, 2, 3, 4), (0.30, 0.34, 0.24, 0.12)
# Of a picture, against filling its tile. The vehicles' pictures are large, and their vehicles small.
ZOOM, ZOOM_VEHICLES = (0.85, 4.0), (1.2, 6.0)
MIN_HEIGHT = 5.0  # pixels; smaller objects are neither asked for nor forbidden
MIN_VISIBLE = 0.35  # share of an object within its tile from which it is asked for
# How often what a tile shows comes to lie at its edge or over it, and is squeezed as if seen from aside: plates that are hardly
# wider than high stay open four times as often as others, and such as an edge cuts more than twice.
AT_EDGE, ASIDE = 0.15, 0.5
SQUEEZE = (0.3, 0.95)  # of the width
# Of what is seen from aside, the horizontal lines slope and the upright ones do not.
SLOPE = 0.25


def make_sample(
    drawer: Drawer, plates: list[np.ndarray], side: int, dice: random.Random
) -> tuple[np.ndarray, dict[str, Objects]]:
    """A sample uint8 [side, side, 3] (B G R) and its objects. `plates` are drawn ones to put into the pictures."""
    grid = dice.choices(GRIDS, GRID_SHARES)[0]
    canvas = np.empty((side, side, 3), np.uint8)
    parts: list[dict[str, Objects]] = []
    across, down = cuts(grid, side, dice), cuts(grid, side, dice)
    for top, bottom in zip(down, down[1:]):
        for left, right in zip(across, across[1:]):
            tile, objects = make_tile(dress(drawer.draw(dice), plates, dice), right - left, bottom - top, dice)
            canvas[top:bottom, left:right] = tile
            parts.append(shifted(objects, left, top))
    joined = {group: join([part[group] for part in parts]) for group in GROUPS}
    return spoil_sample(canvas, dice), joined


def cuts(count: int, side: int, dice: random.Random) -> list[int]:
    """Where the tiles of a side begin and end."""
    inner = [round(side * (at + dice.uniform(-0.2, 0.2)) / count) for at in range(1, count)]
    return [0, *inner, side]


def make_tile(picture: Picture, width: int, height: int, dice: random.Random) -> tuple[np.ndarray, dict[str, Objects]]:
    image_height, image_width = picture.pixels.shape[:2]
    fill = math.sqrt(width * height / (image_width * image_height))
    least, most = ZOOM_VEHICLES if picture.source == "vehicles" else ZOOM
    scale = fill * math.exp(dice.uniform(math.log(least), math.log(most)))
    pixels, shrunk = picture.pixels, 1.0
    if scale < 0.6:
        shrunk = max(scale, 0.05) * 1.25
        pixels = cv2.resize(pixels, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    matrix = place(picture, width, height, scale, dice)
    tile = cv2.warpPerspective(
        pixels,
        matrix @ np.diag([1 / shrunk, 1 / shrunk, 1]),
        (width, height),
        flags=cv2.INTER_CUBIC if scale > 1.5 and dice.random() < 0.5 else cv2.INTER_LINEAR,
        borderValue=dice.choice([(0, 0, 0), (114, 114, 114), tuple(dice.randrange(256) for _ in range(3))]),
    )
    objects = {group: moved(picture.objects[group], matrix, width, height) for group in GROUPS}
    return spoil_tile(tile, [box for group in GROUPS for box in objects[group].boxes], dice), objects


def place(picture: Picture, width: int, height: int, scale: float, dice: random.Random) -> np.ndarray:
    """The 3x3 matrix from the picture's pixels to the tile's: something of the picture comes to lie somewhere in it."""
    image_height, image_width = picture.pixels.shape[:2]
    boxes = [box for group in GROUPS for box in picture.objects[group].boxes]
    if boxes and dice.random() < 0.85:
        left, top, right, bottom = dice.choice(boxes)
        focus = ((left + right) / 2, (top + bottom) / 2)
    else:
        focus = (dice.uniform(0, image_width), dice.uniform(0, image_height))
    mirror = -1 if dice.random() < 0.5 else 1
    upside_down = -1 if dice.random() < (0.05 if picture.source == "faces" else 0.25) else 1
    cover = dice.random() < 0.85
    target = [
        aim(size, whole * scale, at * scale if side > 0 else (whole - at) * scale, cover, dice)
        for size, whole, at, side in (
            (width, image_width, focus[0], mirror),
            (height, image_height, focus[1], upside_down),
        )
    ]
    angle = math.radians(dice.uniform(-25, 25) if dice.random() < 0.55 else dice.gauss(0, 4))
    stretch = math.exp(dice.gauss(0, 0.08))
    squeeze, slope = (dice.uniform(*SQUEEZE), dice.gauss(0, SLOPE)) if dice.random() < ASIDE else (1.0, 0.0)
    cos, sin = math.cos(angle), math.sin(angle)
    shear = dice.gauss(0, 0.10)
    turn = np.array([[cos, -sin + shear, 0], [sin + slope, cos, 0], [0, 0, 1]])
    tilt = np.eye(3)
    tilt[2, :2] = dice.gauss(0, 0.08) / width, dice.gauss(0, 0.08) / height
    size = np.diag([scale * stretch * squeeze * mirror, scale / stretch * upside_down, 1])
    return shift(*target) @ tilt @ turn @ size @ shift(-focus[0], -focus[1])


def aim(size: int, span: float, at: float, cover: bool, dice: random.Random) -> float:
    """Where along one side of a tile the focus comes to lie, which is `at` within a picture of `span` pixels."""
    target = (dice.uniform(-0.03, 1.03) if dice.random() < AT_EDGE else dice.uniform(0.08, 0.92)) * size
    start = target - at
    if cover:  # leave no gap if the picture is large enough, and cut off nothing if it is not
        start = min(max(start, min(0.0, size - span)), max(0.0, size - span))
    return start + at


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def moved(objects: Objects, matrix: np.ndarray, width: int, height: int) -> Objects:
    """The objects after the matrix, clipped to the tile; what hardly shows or is too small is to be ignored."""
    boxes, corners, ignore = [], [], []
    for kind, rows in (("object", objects.boxes), ("ignore", objects.ignore)):
        for at, (left, top, right, bottom) in enumerate(rows):
            points = project(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), matrix)
            whole = np.concatenate([points.min(0), points.max(0)])
            seen = np.clip(whole, 0, [width, height, width, height])
            if (seen[2:] - seen[:2]).min() < 1:
                continue
            share = np.prod(seen[2:] - seen[:2]) / np.prod(whole[2:] - whole[:2])
            if kind == "ignore" or share < MIN_VISIBLE or whole[3] - whole[1] < MIN_HEIGHT:
                ignore.append(seen)
                continue
            boxes.append(seen)
            inside = project(objects.corners[at], matrix) if share > 0.98 else np.full((4, 2), np.nan)
            corners.append(from_top_left(inside))
    return Objects(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(corners, np.float32).reshape(-1, 4, 2),
        np.array(ignore, np.float32).reshape(-1, 4),
    )


def project(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    homogeneous = np.c_[points, np.ones(len(points))] @ matrix.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def from_top_left(corners: np.ndarray) -> np.ndarray:
    """The same four corners, clockwise from the top left one, whatever was mirrored."""
    if np.isnan(corners).any():
        return corners
    middle = corners - corners.mean(0)
    around = corners[np.argsort(np.arctan2(middle[:, 1], middle[:, 0]))]
    return np.roll(around, -int(around.sum(1).argmin()), 0)


def shifted(objects: dict[str, Objects], x: float, y: float) -> dict[str, Objects]:
    by = np.array([x, y, x, y], np.float32)
    return {
        group: Objects(one.boxes + by, one.corners + by[:2], one.ignore + by) for group, one in objects.items()
    }


def join(parts: list[Objects]) -> Objects:
    return Objects(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.corners for part in parts]),
        np.concatenate([part.ignore for part in parts]),
    )

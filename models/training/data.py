"""Training images with what is known about them: boxes to find, and places where nothing is known."""
import json
import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

GROUPS = ("plates", "faces")
# How often an image of each source is drawn, whatever the number of its images. The street's variety counts, not the count.
SHARES = {
    "olpr": 0.30, "minh": 0.09, "abbys": 0.09, "thai": 0.03, "jayati": 0.05, "rus": 0.07,
    "faces": 0.30, "vehicles": 0.07, "rendered": 0.06,
}
# Whatever the teacher finds above the first is taken for true, between the two nothing is said about the place.
CERTAIN = {"plates": 0.5, "faces": 0.7}
DOUBTFUL = {"plates": 0.06, "faces": 0.35}


@dataclass
class Objects:
    """One group's objects in one image, in pixels."""

    boxes: np.ndarray  # float32 [n, 4]: left, top, right, bottom
    corners: np.ndarray  # float32 [n, 4, 2]; NaN where unknown
    ignore: np.ndarray  # float32 [m, 4]: no loss for cells in here


@dataclass
class Picture:
    """An image (uint8 [H, W, 3], B G R) with what is known about it."""

    source: str
    file: str
    pixels: np.ndarray
    objects: dict[str, Objects]


def load_pictures(root: Path, teacher: Path | None, excluded: set[str]) -> list[Picture]:
    """Reads the training folders `plates`, `faces` and `vehicles` under `root` into memory (about 2 GB)."""
    finds = json.loads(teacher.read_text()) if teacher else {}
    pictures = []
    for folder in ("plates", "faces", "vehicles"):
        labels = json.loads((root / folder / "labels.json").read_text())
        for file, labelled in sorted(labels.items()):
            if f"{folder}/{file}" in excluded:
                continue
            pixels = cv2.imread(str(root / folder / file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            objects = know(labelled, finds.get(f"{folder}/{file}", {}))
            source = file.split("_")[0] if folder == "plates" else folder
            pictures.append(Picture(source, file, pixels, objects))
    return pictures


def load_rendered(folder: Path) -> list[Picture]:
    """Reads the stills of render.py, of which everything is known."""
    pictures = []
    for file, labelled in sorted(json.loads((folder / "labels.json").read_text()).items()):
        objects = {}
        for group, name in zip(GROUPS, ("plate", "face")):
            mine = [one for one in labelled if one["class"] == name]
            sure = [one for one in mine if "ignore" not in one]
            objects[group] = objects_of(
                [corners_of(one["box"]) for one in sure],
                [one.get("corners", np.full((4, 2), np.nan)) for one in sure],
                [corners_of(one["box"]) for one in mine if "ignore" in one],
            )
        pictures.append(Picture("rendered", file, cv2.imread(str(folder / file)), objects))
    return pictures


def know(labelled: list[dict], finds: dict) -> dict[str, Objects]:
    """Joins an image's labels with the teacher's finds. A plate within a vehicle's box may be there and not be labelled."""
    known = {}
    for group, name in zip(GROUPS, ("plate", "face")):
        boxes = [corners_of(o["box"]) for o in labelled if o["class"] == name]
        points = [np.full((4, 2), np.nan, np.float32) for _ in boxes]
        ignore = []
        if group == "plates":
            ignore = [corners_of(o["box"]) for o in labelled if o["class"] not in ("plate", "face")]
        for x, y, w, h, score, *corners in finds.get(group, []):
            found = corners_of([x, y, w, h])
            overlaps = [overlap(found, box) for box in boxes]
            at = int(np.argmax(overlaps)) if overlaps else -1
            if at >= 0 and overlaps[at] > 0.6 and score > 0.4 and corners and np.isnan(points[at]).any():
                points[at] = np.array(corners, np.float32).reshape(4, 2)
            if any(covered(found, box) > 0.3 for box in boxes):
                continue
            if score >= CERTAIN[group]:
                boxes.append(found)
                points.append(
                    np.array(corners, np.float32).reshape(4, 2) if corners else np.full((4, 2), np.nan, np.float32)
                )
            elif score >= DOUBTFUL[group]:
                ignore.append(found)
        known[group] = objects_of(boxes, points, ignore)
    return known


def objects_of(boxes: list, corners: list, ignore: list) -> Objects:
    return Objects(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(corners, np.float32).reshape(-1, 4, 2),
        np.array(ignore, np.float32).reshape(-1, 4),
    )


def corners_of(box: list[float]) -> list[float]:
    x, y, w, h = box
    return [x, y, x + w, y + h]


def overlap(a: list[float], b: list[float]) -> float:
    """Intersection over union."""
    common = shared_area(a, b)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common + 1e-9)


def covered(a: list[float], b: list[float]) -> float:
    """The share of the smaller of two boxes that lies in the other."""
    return shared_area(a, b) / (min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])) + 1e-9)


def shared_area(a: list[float], b: list[float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


class Drawer:
    """Draws pictures: a source by its share, then one of the source's pictures."""

    def __init__(self, pictures: list[Picture]):
        self.by_source: dict[str, list[Picture]] = {}
        for picture in pictures:
            self.by_source.setdefault(picture.source, []).append(picture)
        self.sources = list(self.by_source)
        self.shares = [SHARES[source] for source in self.sources]

    def draw(self, dice: random.Random) -> Picture:
        return dice.choice(self.by_source[dice.choices(self.sources, self.shares)[0]])

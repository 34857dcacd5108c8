"""Training images with the vehicles and persons known in them, and places where nothing is known."""
import json
import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from boxes import areas, overlaps, shared
from network import CLASSES

# How often a folder's image is drawn. The roadside pictures are few, but they are what the network is for.
SHARES = {"vehicles": 0.5, "plates": 0.35, "faces": 0.15}
# Whatever the teacher scores above the first is taken for true, below it nothing is said about the place.
CERTAIN = {"vehicles": 0.55, "plates": 0.4, "faces": 0.4}
# Labels say "bike" for a motorcycle or bicycle with its rider; nearly all that can be told apart are motorcycles.
LABEL_CLASSES = {"car": "car", "truck": "truck", "bus": "bus", "bike": "motorcycle"}
RARE = [CLASSES.index(name) for name in ("bicycle", "motorcycle", "bus", "truck")]
RARE_WORTH = 3
CYCLES = ("bicycle", "motorcycle")


@dataclass
class Objects:
    boxes: np.ndarray  # float32 [n, 4]: left, top, right, bottom in pixels
    classes: np.ndarray  # int64 [n], index into CLASSES
    ignore: np.ndarray  # float32 [m, 4]: no loss for cells in here


@dataclass
class Picture:
    source: str
    pixels: np.ndarray  # uint8 [H, W, 3], B G R
    objects: Objects

    @property
    def has_rare(self) -> bool:
        return bool(np.isin(self.objects.classes, RARE).any())


def load_pictures(root: Path, teacher: Path, excluded: set[str]) -> dict[str, list[Picture]]:
    """By folder, the images that the teacher has looked at (about 0.5 GB for a quarter of the plates)."""
    finds = json.loads(teacher.read_text())
    by_source: dict[str, list[Picture]] = {source: [] for source in SHARES}
    labels = json.loads((root / "vehicles" / "labels.json").read_text())
    for name, found in finds.items():
        if name in excluded:
            continue
        source, file = name.split("/")
        pixels = cv2.imread(str(root / name), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        objects = know(source, labels[file] if source == "vehicles" else [], found)
        by_source[source].append(Picture(source, pixels, objects))
    return by_source


def know(source: str, labelled: list[dict], found: list[dict]) -> Objects:
    """Joins labels with what the teacher found and nobody has labelled."""
    boxes = [corners_of(one["box"]) for one in labelled]
    classes = [LABEL_CLASSES[one["class"]] for one in labelled]
    ignore = []
    truth = np.array(boxes, np.float32).reshape(-1, 4)
    for find in found:
        box = np.array([find["box"]], np.float32)
        is_person = find["class"] == "person"
        if len(truth):
            best = int(overlaps(box, truth)[0].argmax())
            same = overlaps(box, truth[best : best + 1])[0, 0] > 0.5
            if same and classes[best] == "motorcycle" and find["score"] > 0.4 and not is_person:
                classes[best] = find["class"]  # a bicycle, or a car that was labelled as a bike
            inside = shared(box, truth)[0] / np.minimum(areas(box)[0], areas(truth)).clip(min=1)
            if not is_person and inside.max() > 0.4:
                continue
        if find["score"] >= CERTAIN[source]:
            boxes.append(find["box"])
            classes.append(find["class"])
        else:
            ignore.append(find["box"])
    return Objects(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([CLASSES.index(one) for one in classes], np.int64),
        np.array(ignore, np.float32).reshape(-1, 4),
    )


def corners_of(box: list[float]) -> list[float]:
    x, y, w, h = box
    return [x, y, x + w, y + h]


def draw(by_source: dict[str, list[Picture]], dice: random.Random) -> Picture:
    """A folder by its share, then one of its pictures, more often one with something rare."""
    pictures = by_source[dice.choices(list(SHARES), list(SHARES.values()))[0]]
    return dice.choices(pictures, [1 + RARE_WORTH * picture.has_rare for picture in pictures])[0]

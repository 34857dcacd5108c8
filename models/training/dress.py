"""Pictures with drawn plates in place of their own, or on vehicles whose plates nobody labelled."""
import random

import numpy as np

from data import Objects, Picture
from synthetic_plates import put

SHARE = {"vehicles": 0.6}  # of pictures of a source that are dressed
OTHER_SHARE = 0.25
MIN_VEHICLE = 60.0  # pixels of height from which a vehicle gets a plate


def dress(picture: Picture, plates: list[np.ndarray], dice: random.Random) -> Picture:
    """The picture, or now and then a copy with other plates, whose corners are known exactly."""
    if picture.source == "faces" or dice.random() > SHARE.get(picture.source, OTHER_SHARE):
        return picture
    known = picture.objects["plates"]
    pixels, boxes, corners = picture.pixels, list(known.boxes), list(known.corners)
    for at, (box, points) in enumerate(zip(known.boxes, known.corners)):
        place = box_corners(box) if np.isnan(points).any() else points.mean(0) + (points - points.mean(0)) * 1.08
        pixels = put(fitting(place, plates, dice), pixels, place)
        boxes[at], corners[at] = np.concatenate([place.min(0), place.max(0)]), place
    for left, top, right, bottom in known.ignore if picture.source == "vehicles" else []:
        if bottom - top < MIN_VEHICLE or dice.random() < 0.3:
            continue
        plate = dice.choice(plates)
        width = (right - left) * dice.uniform(0.18, 0.34)
        height = width * plate.shape[0] / plate.shape[1]
        x = left + (right - left) * dice.uniform(0.35, 0.65)
        y = top + (bottom - top) * dice.uniform(0.6, 0.88)
        place = box_corners(np.array([-width, -height, width, height]) / 2) + [x, y]
        place[:, 1] += np.array([-1, 1, 1, -1]) * dice.gauss(0, 0.03) * width
        pixels = put(plate, pixels, place)
        boxes.append(np.concatenate([place.min(0), place.max(0)]))
        corners.append(place)
    objects = Objects(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(corners, np.float32).reshape(-1, 4, 2), known.ignore
    )
    return Picture(picture.source, picture.file, pixels, {**picture.objects, "plates": objects})


def box_corners(box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def fitting(place: np.ndarray, plates: list[np.ndarray], dice: random.Random) -> np.ndarray:
    """Of a few plates the one whose shape is most like the place's."""
    across, down = np.linalg.norm(place[1] - place[0]), np.linalg.norm(place[3] - place[0])
    wanted = np.log(max(across, 1) / max(down, 1))
    return min(dice.choices(plates, k=6), key=lambda plate: abs(np.log(plate.shape[1] / plate.shape[0]) - wanted))

"""Samples to train and measure with: drawn plates as a camera would see them, real crops with the teacher's text."""
import json
import math
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from crops import GROWTH, cut, grow
from network import ALPHABET, PADDING, SLOTS
from plates import FONTS, draw_readable

sys.path.append(str(Path(__file__).resolve().parent.parent))
from spoil import add_noise, glare, relight, smear, soften  # noqa: E402
from synthetic_plates import Drawn, Style, draw  # noqa: E402

SHARES = {"drawn": 0.46, "real": 0.5, "nothing": 0.04}
DRAWN_PLATES = 16_000  # drawn when first needed, then used again
HEIGHTS = (9.5, 85.0)  # pixels of a plate in the camera's picture
SURROUNDINGS = 0.6  # of a real plate's box, kept on each side
SPLICED_SHARE = 0.6  # of real plates: the beginning of one and the end of another, so that no text is learned by heart
NOBODY_KNOWS = -1  # in place of a letter: whatever is read there must not be sure


@dataclass
class Real:
    """A real plate with its surroundings, uint8 [h, w, 3] (B G R); box and corners in pixels of it."""

    pixels: np.ndarray
    box: np.ndarray
    corners: np.ndarray  # [4, 2] clockwise from the top left; the box's where they are not known
    text: str
    known_corners: bool
    middles: np.ndarray | None = None  # [len(text), 2], where the letters stand in one line and their places are known


@dataclass
class Answer:
    letters: np.ndarray  # int64 [9]
    middles: np.ndarray  # float32 [9, 2]: x and y of the letters in the crop, 0-1; NaN where not known


@dataclass
class Source:
    """What samples are made of. Plate number n is drawn from n and the seed alone."""

    reals: list[Real]
    backgrounds: list[np.ndarray]
    seed: int
    fonts: tuple[str, ...] = FONTS
    drawn: dict[int, Drawn] = field(default_factory=dict)

    def plate(self, number: int) -> Drawn:
        if number not in self.drawn:
            self.drawn[number] = draw_readable(random.Random(f"{self.seed}/{number}"), self.fonts)
        return self.drawn[number]


def load_reals(folder: Path, texts: Path, use: str, sure: float = 0.0) -> list[Real]:
    """The plates that `teacher.py` gave texts and kept for a use; with `sure` only those on which all looks agree."""
    chosen = [one for one in json.loads(texts.read_text()) if one["use"] == use and one["confidence"] >= sure]
    if sure:
        chosen = [one for one in chosen if one["agreement"] == 1]
    reals = []
    for one in chosen:
        pixels = cv2.imread(str(folder / one["file"]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        box = np.array(one["box"])
        corners = np.array(one["corners"]) if one["corners"] else corners_of(box)
        left, top, right, bottom = grow(box, SURROUNDINGS).round().astype(int)
        left, top = max(0, left), max(0, top)
        place = pixels[top:bottom, left:right].copy()
        start = np.array([left, top])
        middles = np.array(one["middles"]) - start if "middles" in one else None
        reals.append(Real(place, box - [left, top] * 2, corners - start, one["text"], bool(one["corners"]), middles))
    return reals


def surroundings(reals: list[Real]) -> list[np.ndarray]:
    """What lies above and below real plates, to lay drawn ones on."""
    strips = []
    for real in reals:
        for strip in (real.pixels[: max(0, int(real.box[1]))], real.pixels[int(real.box[3]) + 1 :]):
            if min(strip.shape[:2]) >= 8:
                strips.append(strip)
    return strips


def corners_of(box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def answer(text: str, middles: np.ndarray | None = None) -> Answer:
    letters = [ALPHABET.index(sign) for sign in text[:SLOTS]] + [PADDING] * (SLOTS - len(text))
    if len(text) > SLOTS:
        letters[-1] = NOBODY_KNOWS
    places = np.full((SLOTS, 2), np.nan, np.float32)
    if middles is not None:
        places[: len(text)] = middles[:SLOTS]
    return Answer(np.array(letters), places)


def make_sample(source: Source, dice: random.Random) -> tuple[np.ndarray, Answer]:
    """A crop uint8 [64, 128, 3] (B G R) and what is to be read on it."""
    kind = dice.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "real":
        real = dice.choice(source.reals)
        if real.middles is not None and dice.random() < SPLICED_SHARE:
            real = splice(real, source.reals, dice)
        return real_sample(real, dice)
    if kind == "drawn":
        return drawn_sample(source.plate(dice.randrange(DRAWN_PLATES)), source.backgrounds, log_height(dice), dice)
    return nothing_sample(source.backgrounds, dice)


def log_height(dice: random.Random) -> float:
    return math.exp(dice.uniform(math.log(HEIGHTS[0]), math.log(HEIGHTS[1])))


def drawn_sample(
    plate: Drawn, backgrounds: list[np.ndarray], height: float, dice: random.Random
) -> tuple[np.ndarray, Answer]:
    picture, corners, matrix = stage(plate.pixels, backgrounds, height, dice)
    picture = spoil(picture, corners, height, 1.0, dice)
    box = detected(corners, dice)
    middles = (project(plate.middles, matrix) + 0.5 - box[:2]) / (box[2:] - box[:2])
    return cut(picture, box), answer(plate.text, middles)


def nothing_sample(backgrounds: list[np.ndarray], dice: random.Random) -> tuple[np.ndarray, Answer]:
    """A plate without text, or no plate at all: nothing is to be read."""
    height = log_height(dice)
    if dice.random() < 0.5:
        blank = draw(dice, Style(blank_share=1.1)).pixels
    else:
        blank = cv2.resize(dice.choice(backgrounds), (round(72 * dice.uniform(1.3, 5)), 72))
    picture, corners, _ = stage(blank, backgrounds, height, dice)
    picture = spoil(picture, corners, height, 1.0, dice)
    return cut(picture, detected(corners, dice)), answer("")


def stage(
    plate: np.ndarray, backgrounds: list[np.ndarray], height: float, dice: random.Random
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plate, so many pixels high, on a piece of a car: picture, corners [4, 2], matrix from the drawing to it."""
    full = np.array([plate.shape[1], plate.shape[0]], float)
    width = height * full[0] / full[1] * math.exp(dice.gauss(0, 0.08))
    if dice.random() < 0.3:
        width *= dice.uniform(0.6, 1.0)  # seen from the side
    corners = turn(corners_of(np.array([-width, -height, width, height]) / 2), height, dice)
    margin = 0.3 * height + 4
    corners += margin - corners.min(0) + [dice.random(), dice.random()]
    size = np.ceil(corners.max(0) + margin).astype(int)
    place = cv2.resize(dice.choice(backgrounds), tuple(size), interpolation=cv2.INTER_AREA)
    if dice.random() < 0.4:
        place = (place * dice.uniform(0.2, 1)).astype(np.uint8)
    shrunk = plate
    if plate.shape[0] > 1.5 * height:
        scale = 1.25 * height / plate.shape[0]
        smaller = (max(2, round(full[0] * min(1.0, scale * 1.2))), max(2, round(full[1] * scale)))
        shrunk = cv2.resize(plate, smaller, interpolation=cv2.INTER_AREA)
    flat = corners_of(np.array([0, 0, shrunk.shape[1], shrunk.shape[0]]) - 0.5).astype(np.float32)
    warp = cv2.getPerspectiveTransform(flat, (corners - 0.5).astype(np.float32))
    cv2.warpPerspective(shrunk, warp, tuple(size), place, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return place, corners, warp @ np.diag([shrunk.shape[1] / full[0], shrunk.shape[0] / full[1], 1])


def turn(corners: np.ndarray, height: float, dice: random.Random) -> np.ndarray:
    """Four corners around the origin turned by up to 12 degrees, sheared, one side brought nearer than the other."""
    angle = math.radians(dice.uniform(-12, 12) if dice.random() < 0.35 else dice.gauss(0, 3))
    cos, sin = math.cos(angle), math.sin(angle)
    shear = dice.gauss(0, 0.08)
    corners = corners.copy()
    near = dice.gauss(0, 0.05)
    corners[:, 1] *= 1 + near * np.sign(corners[:, 0])
    corners[:, 0] *= 1 + dice.gauss(0, 0.02) * np.sign(corners[:, 1])
    return corners @ np.array([[cos, -sin + shear], [sin, cos]]).T + [[dice.gauss(0, 0.01) * height] * 2] * 4


def real_sample(real: Real, dice: random.Random) -> tuple[np.ndarray, Answer]:
    """A real plate, turned a little, often from farther away than it was."""
    own = float(real.box[3] - real.box[1])
    most = min(1.0, HEIGHTS[1] / own)
    least = min(most, HEIGHTS[0] * 1.25 / own)
    scale = math.exp(dice.uniform(math.log(least), math.log(most))) if dice.random() < 0.6 else most
    pixels, shrunk = real.pixels, 1.0
    if scale < 0.75:
        shrunk = scale * 1.15
        pixels = cv2.resize(pixels, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    angle = math.radians(dice.gauss(0, 3 if real.known_corners else 1.5))
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    stretch, shear = math.exp(dice.gauss(0, 0.08)), dice.gauss(0, 0.05)
    size = np.ceil(np.array(real.pixels.shape[1::-1]) * scale).astype(int)
    matrix = np.array([[cos * stretch, -sin + shear * scale, 0], [sin, cos, 0], [0, 0, 1]])
    middle = (real.box[:2] + real.box[2:]) / 2
    matrix[:2, 2] = size / 2 - matrix[:2, :2] @ middle
    corners = project(real.corners, matrix)
    rough = matrix @ np.diag([1 / shrunk, 1 / shrunk, 1])
    picture = cv2.warpAffine(pixels, rough[:2], tuple(size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cut(spoil(picture, corners, own * scale, 0.6, dice), detected(corners, dice)), answer(real.text)


def splice(real: Real, reals: list[Real], dice: random.Random) -> Real:
    """The beginning of one plate and the end of the one of several others that is most like it in colour."""
    first, others = dice.randint(1, len(real.text) - 1), []
    for other in dice.choices(reals, k=12):
        if other.middles is not None:
            last = dice.randint(1, len(other.text) - 1)
            if 4 <= first + len(other.text) - last <= SLOTS:
                others.append((np.abs(colour(other) - colour(real)).sum(), last, other))
    if not others:
        return real
    _, last, other = min(others, key=lambda one: one[0])
    height = max(12, round(min(real.box[3] - real.box[1], HEIGHTS[1])))
    margin = round(0.3 * height)
    parts = (part(real, 0, first, height, margin), part(other, last, len(other.text), height, margin))
    pixels = np.concatenate(parts, 1)
    box = np.array([margin, margin, pixels.shape[1] - margin, margin + height], float)
    return Real(pixels, box, corners_of(box), real.text[:first] + other.text[last:], False)


def colour(real: Real) -> np.ndarray:
    left, top, right, bottom = real.box.round().astype(int)
    return real.pixels[max(0, top) : bottom, max(0, left) : right].mean((0, 1))


def part(real: Real, start: int, end: int, height: int, margin: int) -> np.ndarray:
    """Letters from `start` to `end` of a plate so many pixels high, with a margin around, but not where it is cut."""
    scale = height / (real.box[3] - real.box[1])
    x = real.middles[:, 0]
    left = real.box[0] - margin / scale if start == 0 else (x[start - 1] + x[start]) / 2
    right = real.box[2] + margin / scale if end == len(x) else (x[end - 1] + x[end]) / 2
    size = (max(2, round((right - left) * scale)), height + 2 * margin)
    top, down = real.box[1] - margin / scale, 1 / scale
    across = (right - left) / size[0]
    matrix = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(real.pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def project(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    homogeneous = np.c_[points, np.ones(len(points))] @ matrix.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def detected(corners: np.ndarray, dice: random.Random) -> np.ndarray:
    """The box around the corners as a detector might give it, several per cent off, grown as the daemon does."""
    box = np.concatenate([corners.min(0), corners.max(0)])
    size = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    spread = 0.07 if dice.random() < 0.2 else 0.03
    off = np.array([dice.gauss(0.01, spread) for _ in range(4)]).clip(-0.08, 0.25)
    return grow(box + off * [-1, -1, 1, 1] * size, GROWTH)


def spoil(picture: np.ndarray, corners: np.ndarray, height: float, much: float, dice: random.Random) -> np.ndarray:
    """Light, weather, lens, sensor and compression. `much` scales how often."""
    if dice.random() < 0.05:
        picture = 255 - picture
    if dice.random() < 0.15:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if dice.random() < 0.8 * much:
        picture = relight(picture, dice)
    if dice.random() < 0.06 * much:
        picture = glare(picture, [np.concatenate([corners.min(0), corners.max(0)])], dice)
    if dice.random() < 0.06 * much:
        picture = cover(picture, corners, dice)
    if dice.random() < 0.5 * much:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.2 + height * abs(dice.gauss(0, 0.022)))
    if dice.random() < 0.15 * much and height > 18:
        picture = smear(picture, dice)
    if dice.random() < 0.2 * much and height > 14:
        picture = soften(picture, dice)
    if dice.random() < 0.4 * much:
        picture = add_noise(picture, dice)
    if dice.random() < 0.4 * much:
        picture = compress(picture, dice)
    return picture


def cover(picture: np.ndarray, corners: np.ndarray, dice: random.Random) -> np.ndarray:
    """A shadow's edge, or a hard line of light, across the plate."""
    height, width = picture.shape[:2]
    x, slope = dice.uniform(0, width), dice.uniform(-1.5, 1.5)
    side = (np.arange(width)[None, :] - x + slope * (np.arange(height)[:, None] - height / 2)) > 0
    factor = np.where(side, dice.uniform(0.35, 0.8), dice.uniform(0.9, 1.3)).astype(np.float32)
    return cv2.multiply(picture, cv2.merge([factor] * 3), dtype=cv2.CV_8U)


def compress(picture: np.ndarray, dice: random.Random) -> np.ndarray:
    """JPEG; now and then WebP, which codes stills as video is coded: in blocks predicted from each other."""
    kind, flag = (".webp", cv2.IMWRITE_WEBP_QUALITY) if dice.random() < 0.12 else (".jpg", cv2.IMWRITE_JPEG_QUALITY)
    return cv2.imdecode(cv2.imencode(kind, picture, [flag, dice.randint(15, 85)])[1], cv2.IMREAD_COLOR)

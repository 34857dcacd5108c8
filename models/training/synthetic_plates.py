"""Draws plates in the formats of many countries and puts them over real ones, with perspective and the place's light.

The fonts are open ones of Debian: DejaVu (fonts-dejavu), Liberation (fonts-liberation2) and Lato (fonts-lato).
"""
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT_FOLDER = Path("/usr/share/fonts/truetype")
FONTS = (
    "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSansCondensed-Bold.ttf", "dejavu/DejaVuSansCondensed.ttf",
    "dejavu/DejaVuSansMono-Bold.ttf", "liberation2/LiberationSans-Bold.ttf", "liberation2/LiberationMono-Bold.ttf",
    "lato/Lato-Bold.ttf", "lato/Lato-Black.ttf",
)
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"  # those that can't be taken for digits
BLANK_SHARE = 0.12  # glare, dirt or somebody's eraser took the text
FONT_SIZE = 64
HEIGHT = 72  # pixels of a drawn plate of one line; of two lines one and a half of it


@dataclass(frozen=True)
class Format:
    """A kind of plate. In `lines`, A stands for any letter and 9 for any digit. Colours are R G B."""

    lines: tuple[str, ...]
    aspect: float  # width / height
    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    strip: str = ""  # colour bar: left, both, top, bottom
    strip_colour: tuple[int, int, int] = (0, 51, 153)


WHITE, BLACK, YELLOW, BLUE, RED = (240, 240, 236), (18, 18, 18), (245, 200, 20), (20, 60, 150), (190, 25, 30)
GREEN = (20, 110, 60)
FORMATS = (
    Format(("AA 9999 AA",), 4.6, WHITE, BLACK, "left"),  # Ukraine, Bulgaria
    Format(("A AA 9999",), 4.7, WHITE, BLACK, "left"),  # Germany
    Format(("AA-999-AA",), 4.7, WHITE, BLACK, "both"),  # France, Italy
    Format(("9999 AAA",), 4.7, WHITE, BLACK, "left"),  # Spain
    Format(("A 99 AAA",), 4.7, WHITE, BLACK, "left"),  # Romania
    Format(("AA-999-A",), 4.7, YELLOW, BLACK, "left"),  # Netherlands
    Format(("AA99 AAA",), 4.7, WHITE, BLACK),  # Britain, front
    Format(("AA99 AAA",), 4.7, YELLOW, BLACK),  # Britain, rear
    Format(("AA99", "AAA"), 1.4, YELLOW, BLACK),
    Format(("99-999-99",), 4.6, YELLOW, BLACK, "left"),  # Israel
    Format(("A 999 AA 99",), 4.6, WHITE, BLACK),  # Russia
    Format(("999 AA",), 2.6, WHITE, BLACK, "left"),
    Format(("9AAA999",), 2.0, WHITE, BLUE),  # United States
    Format(("AAA 9999",), 2.0, (225, 235, 245), (30, 40, 90), "top"),
    Format(("AAA-9999",), 2.0, YELLOW, (20, 40, 110)),
    Format(("AAAA 999",), 2.0, WHITE, GREEN, "bottom", GREEN),
    Format(("AAA 999",), 2.0, WHITE, RED, "top", RED),
    Format(("AAA9A99",), 3.1, WHITE, BLACK, "top"),  # Mercosur
    Format(("AA 999 AA",), 3.1, WHITE, BLACK, "top"),
    Format(("AAA 999",), 3.1, BLACK, WHITE),
    Format(("A·A9999",), 3.1, BLUE, WHITE),  # China
    Format(("AA·99999",), 3.4, (150, 220, 170), BLACK),
    Format(("A·A9999",), 3.1, YELLOW, BLACK),
    Format(("AAA 99", "99-99"), 2.0, WHITE, GREEN),  # Japan
    Format(("99 999", "99-99"), 2.0, YELLOW, BLACK),
    Format(("AA 99 AA 9999",), 4.4, WHITE, BLACK),  # India
    Format(("AA 99 AA 9999",), 4.4, YELLOW, BLACK),
    Format(("AA 99", "AA 9999"), 1.5, WHITE, BLACK),
    Format(("9AA 9999", "AAAAAA"), 2.2, WHITE, BLACK),  # Thailand
    Format(("99A-999.99",), 4.3, WHITE, BLACK),  # Vietnam
    Format(("99-A9", "999.99"), 1.35, WHITE, BLACK),
    Format(("99A-999.99",), 4.3, BLUE, WHITE),
    Format(("A 9999 AA", "99 99"), 2.9, BLACK, WHITE),  # Indonesia
    Format(("A 9999 AA", "99 99"), 2.9, WHITE, BLACK),
    Format(("AAA 9999 A",), 4.4, BLACK, WHITE),  # Malaysia, Singapore
    Format(("AAA 999",), 2.7, WHITE, (20, 40, 110)),  # Australia
    Format(("99999",), 4.2, WHITE, BLACK, "left", (110, 20, 40)),  # Gulf
    Format(("9999 AAA",), 2.0, WHITE, BLACK),
    Format(("AA 99 99",), 4.6, RED, WHITE),  # trade, diplomats
    Format(("999 9 AA",), 4.6, BLUE, WHITE),
    Format(("AAA 999 AA",), 4.4, WHITE, BLUE),  # South Africa
)


@dataclass(frozen=True)
class Style:
    """What plates are drawn from and with."""

    formats: tuple[Format, ...] = FORMATS
    fonts: tuple[str, ...] = FONTS
    letters: str = LETTERS  # that stand for an A
    blank_share: float = BLANK_SHARE
    spread: tuple[float, float] = (0.0, 0.0)  # least and most room between letters, in sizes of the font
    tallness: tuple[float, float] = (0.6, 0.8)  # of the letters, in heights of their line


@dataclass(frozen=True)
class Drawn:
    """A plate seen from the front, with what stands on it."""

    pixels: np.ndarray  # uint8 [h, w, 3], B G R
    text: str  # letters and digits line after line; none where something took the text
    middles: np.ndarray  # float32 [len(text), 2]: where each of them stands, x and y in pixels


def draw(dice: random.Random, style: Style = Style()) -> Drawn:
    kind = dice.choice(style.formats)
    height = HEIGHT if len(kind.lines) == 1 else HEIGHT * 3 // 2
    width = round(height * kind.aspect * dice.uniform(0.92, 1.08))
    image = Image.new("RGB", (width, height), vary(kind.paper, dice))
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = draw_strip(pen, kind, width, height)
    edge = height // 14
    font_file = str(FONT_FOLDER / dice.choice(style.fonts))
    ink = vary(kind.ink, dice)
    line_height = (bottom - top) / len(kind.lines)
    blank = dice.random() < style.blank_share
    spread = dice.uniform(*style.spread) if style.spread[1] else 0.0
    signs, middles = "", []
    for at, pattern in enumerate(() if blank else kind.lines):
        share = dice.uniform(*style.tallness)
        text = "".join(fill(sign, dice, style.letters) for sign in pattern)
        line, across = write_line(text, font_file, ink, (right - left - 3 * edge, round(line_height * share)), spread)
        x, y = (left + right - line.width) // 2, round(top + line_height * (at + 0.5) - line.height / 2)
        image.paste(line, (x, y), line)
        for sign, middle in zip(text, across):
            if sign.isascii() and sign.isalnum():
                signs += sign
                middles.append((x + middle, y + line.height / 2))
    if dice.random() < 0.7:
        colour = dice.choice([ink, BLACK, (150, 150, 150)])
        pen.rectangle([1, 1, width - 2, height - 2], outline=colour, width=max(1, edge // 2))
    pixels = weather(np.array(image)[:, :, ::-1], dice)
    return Drawn(pixels, signs, np.array(middles, np.float32).reshape(-1, 2))


def draw_plate(dice: random.Random) -> np.ndarray:
    """A plate seen from the front: uint8 [h, w, 3], B G R."""
    return draw(dice).pixels


def draw_strip(pen: ImageDraw.ImageDraw, kind: Format, width: int, height: int) -> tuple[int, int, int, int]:
    """Draws the colour bar and returns what is left of the plate: left, top, right, bottom."""
    side, bar = round(height * 0.42), round(height * 0.22)
    left, top, right, bottom = 0, 0, width, height
    if kind.strip in ("left", "both"):
        pen.rectangle([0, 0, side, height], fill=kind.strip_colour)
        left = side
    if kind.strip == "both":
        pen.rectangle([width - side, 0, width, height], fill=kind.strip_colour)
        right = width - side
    if kind.strip == "top":
        pen.rectangle([0, 0, width, bar], fill=kind.strip_colour)
        top = bar
    if kind.strip == "bottom":
        pen.rectangle([0, height - bar, width, height], fill=kind.strip_colour)
        bottom = height - bar
    return left, top, right, bottom


def write_line(
    text: str, font_file: str, ink: tuple[int, ...], size: tuple[int, int], spread: float = 0.0
) -> tuple[Image.Image, list[float]]:
    """The text on nothing, squeezed into a width and a height as plates do it, and where across it each sign stands."""
    font = open_font(font_file)
    gap = spread * FONT_SIZE
    starts = [font.getlength(text[:at]) + gap * at for at in range(len(text) + 1)]
    left, top, right, bottom = font.getbbox(text)
    right += round(gap * (len(text) - 1))
    image = Image.new("RGBA", (right - left, bottom - top), (*ink, 0))
    pen = ImageDraw.Draw(image)
    for start, part in zip(starts, text) if gap else [(0, text)]:
        pen.text((start - left, -top), part, font=font, fill=(*ink, 255))
    width = max(8, min(size[0], round(image.width * size[1] / image.height * 1.1)))
    middles = [((start + end - gap) / 2 - left) * width / image.width for start, end in zip(starts, starts[1:])]
    return image.resize((width, max(8, size[1])), Image.BILINEAR), middles


@cache
def open_font(file: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, FONT_SIZE)


def fill(sign: str, dice: random.Random, letters: str = LETTERS) -> str:
    if sign == "A":
        return dice.choice(letters)
    return str(dice.randrange(10)) if sign == "9" else sign


def vary(colour: tuple[int, int, int], dice: random.Random) -> tuple[int, ...]:
    return tuple(min(255, max(0, value + dice.randint(-18, 18))) for value in colour)


def weather(plate: np.ndarray, dice: random.Random) -> np.ndarray:
    """Light from one side, and dirt."""
    height, width = plate.shape[:2]
    ramp = np.linspace(dice.uniform(0.75, 1), dice.uniform(0.75, 1), width)[None, :, None]
    cv2.setRNGSeed(dice.getrandbits(31))
    dirt = np.zeros((5, 9), np.float32)
    cv2.randn(dirt, 0, dice.uniform(0, 0.12))
    dirt = cv2.resize(dirt, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(plate * ramp * (1 + dirt), 0, 255).astype(np.uint8)


def draw_many(count: int, seed: int) -> list[np.ndarray]:
    dice = random.Random(seed)
    return [draw_plate(dice) for _ in range(count)]


def put(plate: np.ndarray, pixels: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """
    The image with the plate laid over four corners [4, 2] (clockwise from the top left), as bright as the place was.

    @param pixels uint8 [H, W, 3], left as it is
    """
    height, width = plate.shape[:2]
    left, top = np.floor(corners.min(0)).astype(int) - 2
    right, bottom = np.ceil(corners.max(0)).astype(int) + 3
    left, top = max(0, left), max(0, top)
    place = pixels[top:bottom, left:right]
    if place.size == 0:
        return pixels
    if height > 3 * (bottom - top):
        plate = cv2.resize(plate, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        height, width = plate.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, (corners - [left, top]).astype(np.float32))
    size = (place.shape[1], place.shape[0])
    light = np.clip((place.mean() + 25) / (plate.mean() + 25), 0.3, 1.15) ** 0.7
    warped = cv2.warpPerspective(np.clip(plate * light, 0, 255).astype(np.uint8), matrix, size, flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.ones((height, width, 1), np.float32), matrix, size)[..., None]
    out = pixels.copy()
    out[top:bottom, left:right] = (place * (1 - mask) + warped * mask).astype(np.uint8)
    return out

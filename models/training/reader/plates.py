"""Drawn plates for the reader: more kinds, letters and fonts than the detector needs, small print not to be read."""
import random
import string
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

sys.path.append(str(Path(__file__).resolve().parent.parent))
import synthetic_plates  # noqa: E402
from synthetic_plates import BLACK, BLUE, FORMATS, GREEN, LETTERS, RED, WHITE, YELLOW  # noqa: E402
from synthetic_plates import FONT_FOLDER, Drawn, Format, Style, draw, open_font  # noqa: E402

# Debian packages, all fonts-…: roadgeek (signs of the USA, which many plates look like), opendin (twice: so Germany's
# plates were written once), routed-gothic, dosis, play, league-mono, jetbrains-mono, firacode, roboto-unhinted,
# manrope, jura, freefont-ttf, cabin, hack, b612.
FONTS = synthetic_plates.FONTS + (
    "roadgeek/RG2014C.ttf", "roadgeek/RG2014D.ttf", "roadgeek/RG2014E.ttf", "roadgeek/RG2014EM.ttf",
    "opendin/OSP-DIN.ttf", "opendin/OSP-DIN.ttf", "routed-gothic/routed-gothic-narrow.ttf",
    "../opentype/dosis/Dosis-Bold.otf", "play/Play-Bold.ttf", "../opentype/league-mono/LeagueMono-CondensedBold.otf",
    "jetbrains-mono/JetBrainsMono-Bold.ttf", "firacode/FiraCode-Bold.ttf", "roboto/unhinted/RobotoCondensed-Bold.ttf",
    "manrope/Manrope-Bold.ttf", "../opentype/jura/Jura-Bold.otf", "freefont/FreeSansBold.ttf",
    "../opentype/cabin/Cabin-Bold.otf", "hack/Hack-Bold.ttf", "../opentype/b612/B612-Bold.otf",
)
# Only for plates that measure: karla, crosextra-carlito, clear-sans, open-sans.
HELD_OUT_FONTS = (
    "../truetype/karla/Karla-Bold.otf", "crosextra/Carlito-Bold.ttf", "clear-sans/ClearSans-Bold.ttf",
    "open-sans/OpenSans-CondBold.ttf",
)
MORE_FORMATS = (
    Format(("AA 99 A 9999",), 4.4, WHITE, BLACK),  # India
    Format(("A 9999 AAA",), 2.9, BLACK, WHITE),  # Indonesia
    Format(("A 9999 AA",), 2.9, WHITE, BLACK),
    Format(("AA 99", "A 9999"), 1.5, WHITE, BLACK),
    Format(("AAA 99",), 4.6, WHITE, BLACK, "left"),  # Sweden, Finland, and many older ones
    Format(("9AA 9999",), 4.6, WHITE, BLACK, "left"),  # Czechia
    Format(("AA 99999",), 4.6, WHITE, BLACK, "left"),
    Format(("AAA 999",), 4.6, WHITE, BLACK, "left"),
    Format(("9-AAA-999",), 4.6, WHITE, (140, 20, 30), "left"),  # Belgium
    Format(("AA 99 AAA",), 4.6, WHITE, BLACK, "left"),
    Format(("99 AAA 999",), 4.6, WHITE, BLACK, "left"),  # Turkey
    Format(("999 AAA 99",), 4.6, WHITE, BLACK),  # Kazakhstan
    Format(("A 999", "AA 99"), 1.7, WHITE, BLACK),
    Format(("AA", "9999"), 1.4, WHITE, BLACK),
    Format(("AAA", "9999"), 1.3, WHITE, BLACK),
    Format(("AAA 999 A",), 4.6, YELLOW, BLACK),  # Kenya
    Format(("AAA 999A",), 4.2, WHITE, BLACK),
    Format(("AAA-99-999",), 2.4, WHITE, BLACK),
    Format(("A99-999",), 2.2, WHITE, BLACK),
    Format(("99A", "999.99"), 1.35, WHITE, BLACK),
    Format(("AA 9999",), 2.6, GREEN, WHITE),
    Format(("9 99 99",), 3.2, RED, WHITE),
)
TOO_LONG_SHARE = 0.03  # plates of ten letters: the network has to say that it can't
TOO_LONG = (Format(("AA 99 AA 9999",), 4.4, WHITE, BLACK), Format(("AA 99", "AA 9999"), 1.5, YELLOW, BLACK))
KNOWN_SHARE = 0.6  # of plates in a country's format; the others are any letters in any order
CAPTIONS = (
    "CALIFORNIA", "TEXAS", "FLORIDA", "NEW YORK", "OHIO", "ISLAMABAD", "PUNJAB", "SINDH", "BRASIL", "MERCOSUR",
    "MADRID", "VICTORIA", "GAUTENG", "ALBERTA", "GOVERNMENT", "WWW.PLATES.EXAMPLE", "MOTORS", "UKRAINE",
    "DHAKA METRO", "TAIWAN", "MAINE", "ZG", "KA",
)
COUNTRIES = ("D", "F", "I", "E", "NL", "GB", "PL", "CZ", "A", "B", "P", "S", "RO", "BG", "UA", "TR", "RUS", "EST", "X")


def signs(kind: Format) -> int:
    return sum(sign.isascii() and sign.isalnum() for line in kind.lines for sign in line)


# Not Indonesia's second line: it is the month in which the plate expires, and no part of the registration.
READABLE = tuple(kind for kind in FORMATS + MORE_FORMATS if signs(kind) <= 9 and kind.lines[1:] != ("99 99",))


def draw_readable(dice: random.Random, fonts: tuple[str, ...] = FONTS) -> Drawn:
    """A plate with text, and now and then with small print, seals and screws."""
    chance = dice.random()
    if chance < TOO_LONG_SHARE:
        kind = dice.choice(TOO_LONG)
    elif chance < TOO_LONG_SHARE + KNOWN_SHARE:
        kind = dice.choice(READABLE)
    else:
        kind = any_format(dice)
    letters = LETTERS if dice.random() < 0.75 else string.ascii_uppercase
    drawn = draw(dice, Style((kind,), fonts, letters, 0.0, (0.0, 0.3), (0.5, 0.86)))
    return replace(drawn, pixels=adorn(drawn, kind, dice))


def any_format(dice: random.Random) -> Format:
    """Letters and digits in any order and groups, in the colours of some country."""
    length = dice.choices(range(3, 10), (1, 2, 4, 6, 6, 4, 2))[0]
    letter_share = dice.choice((0.2, 0.5, 0.5, 0.8))
    line = "".join("A" if dice.random() < letter_share else "9" for _ in range(length))
    like = dice.choice(FORMATS)
    if length >= 4 and dice.random() < 0.3:
        cut = dice.randint(2, length - 2)
        lines = (group(line[:cut], dice), group(line[cut:], dice))
        aspect = dice.uniform(1.1, 2.2)
    else:
        lines = (group(line, dice),)
        aspect = min(5.2, max(1.7, length * dice.uniform(0.36, 0.68)))
    return replace(like, lines=lines, aspect=aspect)


def group(line: str, dice: random.Random) -> str:
    """The line with gaps between groups, or without."""
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        if len(line) >= 3:
            at = dice.randint(1, len(line) - 1)
            line = line[:at] + dice.choice(" -.·  ") + line[at:]
    return line


def adorn(drawn: Drawn, kind: Format, dice: random.Random) -> np.ndarray:
    """Small print above or below, a country's letters in the bar, seals in the gaps, screws, thick and thin strokes."""
    image = Image.fromarray(np.ascontiguousarray(drawn.pixels[:, :, ::-1]))
    pen = ImageDraw.Draw(image)
    height, width = drawn.pixels.shape[:2]
    font_file = str(FONT_FOLDER / dice.choice(synthetic_plates.FONTS))
    if kind.strip in ("left", "both") and dice.random() < 0.7:
        small(image, dice.choice(COUNTRIES), font_file, WHITE, (round(height * 0.3), round(height * 0.22)),
              (height * 0.21, height * 0.75))
    if dice.random() < (0.5 if kind.aspect < 3 else 0.15):
        at = dice.choice((0.07, 0.93))
        size = (round(width * dice.uniform(0.3, 0.7)), max(6, round(height * dice.uniform(0.07, 0.12))))
        caption = dice.choice(CAPTIONS) if dice.random() < 0.7 else f"{dice.randint(1, 12):02} {dice.randint(20, 30)}"
        small(image, caption, font_file, kind.ink, size, (width * dice.uniform(0.4, 0.6), height * at))
    across = np.diff(drawn.middles[:, 0])
    if len(across) > 2 and len(kind.lines) == 1 and across.max() > 1.35 * np.median(across) and dice.random() < 0.4:
        at = int(across.argmax())
        x, y = drawn.middles[at : at + 2].mean(0)
        size = (across.max() - np.median(across)) * dice.uniform(0.3, 0.5)
        colour = dice.choice((BLUE, RED, GREEN, (150, 150, 150), BLACK))
        for shift in dice.choice(((0,), (-1.2, 1.2))):
            middle = y + shift * size
            pen.ellipse([x - size, middle - size, x + size, middle + size], fill=colour, outline=BLACK)
    if dice.random() < 0.3:
        y, size = height * dice.uniform(0.1, 0.9), height * dice.uniform(0.02, 0.05)
        colour = dice.choice((BLACK, (120, 120, 120), (200, 200, 200)))
        for x in (width * dice.uniform(0.02, 0.3), width * dice.uniform(0.7, 0.98)):
            pen.ellipse([x - size, y - size, x + size, y + size], fill=colour)
    pixels = np.array(image)[:, :, ::-1]
    if dice.random() < 0.4:
        pixels = dice.choice((cv2.erode, cv2.dilate))(pixels, np.ones((dice.randint(2, 4), dice.randint(2, 4))))
    if dice.random() < 0.2:
        pixels = emboss(pixels, dice)
    return np.ascontiguousarray(pixels)


def small(
    image: Image.Image, text: str, font_file: str, ink: tuple[int, ...], size: tuple[int, int], at: tuple[float, float]
) -> None:
    """Writes a text, at most so wide and high, with its middle at a place."""
    left, top, right, bottom = open_font(font_file).getbbox(text)
    line = Image.new("RGBA", (right - left, bottom - top), (*ink, 0))
    ImageDraw.Draw(line).text((-left, -top), text, font=open_font(font_file), fill=(*ink, 255))
    width = max(3, min(size[0], round(line.width * size[1] / line.height)))
    line = line.resize((width, size[1]), Image.BILINEAR)
    image.paste(line, (round(at[0] - width / 2), round(at[1] - size[1] / 2)), line)


def emboss(pixels: np.ndarray, dice: random.Random) -> np.ndarray:
    """Light and shadow beside the strokes, as of letters pressed into metal."""
    kernel = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], np.float32) * dice.uniform(-0.25, 0.25)
    kernel[1, 1] += 1
    return cv2.filter2D(pixels, -1, kernel)

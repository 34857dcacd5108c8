"""What cameras, weather and compression do to pictures. All images are uint8 [H, W, 3], B G R."""
import random

import cv2
import numpy as np


def spoil_tile(tile: np.ndarray, boxes: list[np.ndarray], dice: random.Random) -> np.ndarray:
    """What belongs to one camera: light, colours, glare beside objects, its own softness."""
    if dice.random() < 0.12:
        tile = cv2.cvtColor(cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if dice.random() < 0.85:
        tile = relight(tile, dice)
    if dice.random() < 0.10:
        for _ in range(dice.randint(1, 3)):
            tile = glare(tile, boxes, dice)
    if dice.random() < 0.25:
        tile = soften(tile, dice)
    if dice.random() < 0.12:
        tile = smear(tile, dice)
    return tile


def spoil_sample(sample: np.ndarray, dice: random.Random) -> np.ndarray:
    """What comes last on the way from the sensor to the file."""
    if dice.random() < 0.45:
        sample = add_noise(sample, dice)
    if dice.random() < 0.35:
        quality = dice.randint(20, 90)
        sample = cv2.imdecode(cv2.imencode(".jpg", sample, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return sample


def relight(tile: np.ndarray, dice: random.Random) -> np.ndarray:
    """Brightness, contrast, gamma and the gain of each colour; now and then night, or an infrared camera's cast."""
    night = dice.random() < 0.2
    gamma = dice.uniform(1.3, 2.6) if night else np.exp(dice.gauss(0, 0.25))
    gain = dice.uniform(0.35, 0.9) if night else np.exp(dice.gauss(0, 0.15))
    spread = 0.3 if dice.random() < 0.25 else 0.06
    levels = np.linspace(0, 1, 256)
    curve = np.clip((levels**gamma - 0.5) * np.exp(dice.gauss(0, 0.15)) + 0.5, 0, 1) if not night else levels**gamma
    table = np.stack([curve * gain * np.exp(dice.gauss(0, spread)) for _ in range(3)], -1)
    tile = cv2.LUT(tile, (np.clip(table, 0, 1) * 255).astype(np.uint8)[:, None, :])
    if dice.random() < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        share = dice.uniform(-0.4, 0.8)
        tile = cv2.addWeighted(tile, 1 - share, grey, share, 0)
    return tile


def glare(tile: np.ndarray, boxes: list[np.ndarray], dice: random.Random) -> np.ndarray:
    """A lamp: bright in the middle, fading out, white to red or violet; often beside a plate."""
    height, width = tile.shape[:2]
    x, y, size = dice.uniform(0, width), dice.uniform(0, height), dice.uniform(0.03, 0.12) * max(width, height)
    if boxes and dice.random() < 0.7:
        left, top, right, bottom = dice.choice(boxes)
        size = (right - left) * dice.uniform(0.25, 0.8)
        x = (left + right) / 2 + dice.choice([-1, 1]) * (right - left) * dice.uniform(0.8, 1.6)
        y = top - (bottom - top) * dice.uniform(-0.2, 1.5)
    across = np.exp(-((np.arange(width) - x) ** 2) / (2 * size**2))
    down = np.exp(-((np.arange(height) - y) ** 2) / (2 * size**2))
    colour = np.array([dice.uniform(0.5, 1), dice.uniform(0.4, 1), 1]) * dice.uniform(120, 330)
    light = (down[:, None] * across[None, :])[..., None] * colour
    return np.clip(tile + light, 0, 255).astype(np.uint8)


def soften(tile: np.ndarray, dice: random.Random) -> np.ndarray:
    """Fewer pixels than the file says, as after scaling or a hard H.264 quantiser."""
    height, width = tile.shape[:2]
    factor = dice.uniform(0.35, 0.85)
    fewer = (max(4, round(width * factor)), max(4, round(height * factor)))
    small = cv2.resize(tile, fewer, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=dice.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))


def smear(tile: np.ndarray, dice: random.Random) -> np.ndarray:
    """Motion along a line."""
    length = dice.randint(3, 9)
    kernel = np.zeros((length, length), np.float32)
    middle, slope = length // 2, dice.uniform(-1, 1)
    for at in range(length):
        kernel[min(length - 1, max(0, round(middle + slope * (at - middle)))), at] = 1
    if dice.random() < 0.3:
        kernel = kernel.T
    return cv2.filter2D(tile, -1, kernel / kernel.sum())


def add_noise(sample: np.ndarray, dice: random.Random) -> np.ndarray:
    """A sensor's noise, or specks of black and white, or of any colour."""
    if dice.random() < 0.55:
        chance = np.random.default_rng(dice.getrandbits(32))
        where = chance.random(sample.shape[:2]) < dice.uniform(0.003, 0.05)
        count = int(where.sum())
        specks = chance.integers(0, 256, (count, 3)) if dice.random() < 0.3 else chance.integers(0, 2, (count, 1)) * 255
        speckled = sample.copy()
        speckled[where] = specks
        return speckled
    noise = np.empty(sample.shape, np.int16)
    cv2.setRNGSeed(dice.getrandbits(31))
    cv2.randn(noise, 0, dice.uniform(3, 22))
    return np.clip(sample + noise, 0, 255).astype(np.uint8)

"""Writes the crops that readers are measured with, none of which was trained on.

`drawn`: plates in fonts that no training plate has. `real`: crops of held-out images as they are, where the teacher was
sure; `real-far`: the same plates from farther away, with what was read on the full crop for the truth.
"""
import argparse
import math
import random
from pathlib import Path

import cv2
import numpy as np

from crops import GROWTH, cut, grow, save
from network import SLOTS
from plates import HELD_OUT_FONTS, draw_readable
from samples import Real, drawn_sample, load_reals, surroundings

HEIGHTS = (10, 14, 20, 40, 80)
PLATES_A_HEIGHT = 250
FAR = (10, 20)  # pixels of a plate from farther away
SURE = 0.9


def drawn_plates(backgrounds: list[np.ndarray], dice: random.Random) -> tuple[list[np.ndarray], list[dict]]:
    crops, notes = [], []
    for low, high in zip(HEIGHTS, HEIGHTS[1:]):
        for _ in range(PLATES_A_HEIGHT):
            plate = draw_readable(dice, HELD_OUT_FONTS)
            while len(plate.text) > SLOTS:
                plate = draw_readable(dice, HELD_OUT_FONTS)
            height = math.exp(dice.uniform(math.log(low), math.log(high)))
            crops.append(drawn_sample(plate, backgrounds, height, dice)[0])
            notes.append({"text": plate.text, "height": height})
    return crops, notes


def from_farther(real: Real, height: float) -> np.ndarray:
    scale = height / (real.box[3] - real.box[1])
    small = cv2.resize(real.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    exact = np.array([small.shape[1] / real.pixels.shape[1], small.shape[0] / real.pixels.shape[0]] * 2)
    return cut(small, grow(real.box * exact, GROWTH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=Path("../../../../shared/data/train/plates"))
    parser.add_argument("--texts", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    dice = random.Random(args.seed)
    reals = load_reals(args.images, args.texts, "held out", SURE)
    save(*drawn_plates(surroundings(reals), dice), args.out / "drawn")
    heights = [float(real.box[3] - real.box[1]) for real in reals]
    notes = [{"text": real.text, "height": height} for real, height in zip(reals, heights)]
    save([cut(real.pixels, grow(real.box, GROWTH)) for real in reals], notes, args.out / "real")
    far = [(real, dice.uniform(*FAR)) for real, height in zip(reals, heights) if height > FAR[1]]
    notes = [{"text": real.text, "height": height} for real, height in far]
    save([from_farther(real, height) for real, height in far], notes, args.out / "real-far")
    print(f"{len(HEIGHTS[1:]) * PLATES_A_HEIGHT} drawn, {len(reals)} real, {len(far)} of them from farther away too")


if __name__ == "__main__":
    main()

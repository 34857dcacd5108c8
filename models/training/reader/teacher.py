"""Texts for real plates, as the public reader sees them: `cut` writes crops for `read.mjs`, `join` makes texts of them.

Every plate is read in several slightly different crops. A text counts where the readings agree and are sure, or where a
reader trained here, which `join` may be given as a second opinion, comes to the same one.
"""
import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np

from crops import GROWTH, cut, grow, save, straighten

sys.path.append(str(Path(__file__).resolve().parent.parent))
from data import know  # noqa: E402

MIN_HEIGHT = 10.0  # pixels; the daemon reads no smaller ones
# Growth, and shift in shares of the box, of the crops. Corners, where they are known, give straightened crops as well.
LOOKS = (
    (GROWTH, 0.0, 0.0), (0.0, 0.0, 0.0), (0.12, 0.0, 0.0), (GROWTH, 0.03, 0.04), (GROWTH, -0.03, -0.04),
    (GROWTH, 0.03, -0.04), (0.03, -0.03, 0.04),
)
STRAIGHT_LOOKS = (0.03, 0.08, 0.14)
# Least agreement and confidence by length of the text. Of nine letters there are often ten on the plate.
LEAST = {**dict.fromkeys(range(4, 9), (0.7, 0.7)), 9: (0.85, 0.95)}
SECOND_LENGTHS = range(4, 9)
HELD_OUT = 10  # every so many-th file is never trained on


def is_held_out(file: str) -> bool:
    return int(hashlib.sha256(file.encode()).hexdigest(), 16) % HELD_OUT == 0


def alike(a: str, b: str) -> bool:
    """Whether two texts may be readings of one plate: at most one letter differs."""
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b)) <= 1


def looks_of(pixels: np.ndarray, box: np.ndarray, corners: np.ndarray) -> list[np.ndarray]:
    size = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    crops = [cut(pixels, grow(box, growth) + size * [x, y, x, y]) for growth, x, y in LOOKS]
    if not np.isnan(corners).any():
        crops += [straighten(pixels, corners, growth) for growth in STRAIGHT_LOOKS]
    return crops


def cut_all(args: argparse.Namespace) -> None:
    labels = json.loads((args.data / "plates" / "labels.json").read_text())
    finds = json.loads(args.finds.read_text())
    excluded = {line for path in args.leave_out for line in path.read_text().split("\n") if line}
    crops, notes = [], []
    for file, labelled in sorted(labels.items()):
        if f"plates/{file}" in excluded:
            continue
        pixels = cv2.imread(str(args.data / "plates" / file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        plates = know(labelled, finds.get(f"plates/{file}", {}))["plates"]
        for box, corners in zip(plates.boxes, plates.corners):
            if box[3] - box[1] < MIN_HEIGHT:
                continue
            seen = looks_of(pixels, box, corners)
            crops += seen
            known = None if np.isnan(corners).any() else corners.round(1).tolist()
            notes.append({"file": file, "box": box.round(1).tolist(), "corners": known, "looks": len(seen)})
    save(crops, notes, args.crops)
    print(f"{len(notes)} plates, {len(crops)} crops")


def weigh(readings: list[tuple[str, float]]) -> tuple[str, float, float]:
    """The text that most and surest readings gave, the share of those, and how sure they were on average."""
    sure: dict[str, list[float]] = defaultdict(list)
    for text, confidence in readings:
        sure[text].append(confidence)
    text, mine = max(sure.items(), key=lambda item: sum(item[1]))
    return text, len(mine) / len(readings), sum(mine) / len(mine)


def join(args: argparse.Namespace) -> None:
    readings = json.loads(args.readings.read_text())
    opinions = json.loads(args.second.read_text()) if args.second else None
    texts, at = [], 0
    for note in json.loads(args.crops.with_suffix(".json").read_text()):
        looks = slice(at, at + note["looks"])
        at += note["looks"]
        text, agreement, confidence = weigh(readings[looks])
        least_agreement, least_confidence = LEAST.get(len(text), (2.0, 2.0))
        certain = agreement >= least_agreement and confidence >= least_confidence
        second = opinions is not None and len(text) in SECOND_LENGTHS and weigh(opinions[looks])[0] == text
        if certain or second:
            texts.append({**note, "text": text, "confidence": round(confidence, 3), "agreement": round(agreement, 2)})
    kept_back = {one["text"] for one in texts if is_held_out(one["file"])}
    for one in texts:
        # The same car often stands in several pictures.
        again = any(alike(one["text"], other) for other in kept_back)
        one["use"] = "held out" if is_held_out(one["file"]) else "none" if again else "train"
    args.out.write_text(json.dumps(texts))
    print(f"{len(texts)} plates with a text: {Counter(one['use'] for one in texts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(required=True)
    cutting = steps.add_parser("cut")
    cutting.add_argument("--data", type=Path, default=Path("../../../../shared/data/train"))
    cutting.add_argument("--finds", type=Path, required=True, help="from ../teacher.py: corners, and unlabelled plates")
    cutting.add_argument("--leave-out", type=Path, nargs="*", default=[], help="lists of images not to train on")
    cutting.add_argument("--crops", type=Path, required=True, help="stem of the two files to write")
    cutting.set_defaults(step=cut_all)
    joining = steps.add_parser("join")
    joining.add_argument("--crops", type=Path, required=True)
    joining.add_argument("--readings", type=Path, required=True, help="what read.mjs wrote")
    joining.add_argument("--second", type=Path, help="what read.mjs wrote with a reader trained here")
    joining.add_argument("--out", type=Path, required=True)
    joining.set_defaults(step=join)
    args = parser.parse_args()
    args.step(args)


if __name__ == "__main__":
    main()

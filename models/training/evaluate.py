"""Says how much of what has to be hidden would be hidden by what `detect.mjs` found.

An object is hidden when masks cover at least 90 % of its box; a mask is a found box grown by 15 % of its size on each side.
"""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np

GROWTH = 0.15
ENOUGH = 0.9
HEIGHTS = (0, 8, 12, 20, 40, 1e9)


def grown(box: list[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels within the image, for [x, y, w, h]."""
    x, y, w, h = box
    left, top = max(0, round(x - GROWTH * w)), max(0, round(y - GROWTH * h))
    right, bottom = min(width, round(x + w * (1 + GROWTH))), min(height, round(y + h * (1 + GROWTH)))
    return left, top, max(left, right), max(top, bottom)


def paint(boxes: list[list[float]], width: int, height: int) -> np.ndarray:
    """bool [height, width]: where a grown box lies."""
    canvas = np.zeros((height, width), bool)
    for box in boxes:
        left, top, right, bottom = grown(box, width, height)
        canvas[top:bottom, left:right] = True
    return canvas


def measure(images: list[dict], min_score: float) -> dict:
    """
    @param images each with width, height, true (boxes [x, y, w, h]) and found ([x, y, w, h, score, …])
    @returns heights and whether hidden for each true object, masks, and the share of the empty area that is masked
    """
    heights, hidden, masks, wasted, empty = [], [], 0, 0, 0
    for image in images:
        width, height = image["width"], image["height"]
        found = [box[:4] for box in image["found"] if box[4] >= min_score]
        masks += len(found)
        canvas = paint(found, width, height)
        around = paint(image["true"], width, height)
        wasted += int((canvas & ~around).sum())
        empty += int((~around).sum())
        for x, y, w, h in image["true"]:
            # A box may reach over the image's edge; what lies outside needs no mask.
            inside = canvas[max(0, round(y)) : max(0, round(y + h)), max(0, round(x)) : max(0, round(x + w))]
            heights.append(h)
            hidden.append(inside.size == 0 or inside.mean() >= ENOUGH)
    return {"heights": np.array(heights), "hidden": np.array(hidden), "masks": masks, "wasted": wasted / max(1, empty)}


def row(result: dict) -> str:
    heights, hidden = result["heights"], result["hidden"]
    ranges = [*zip(HEIGHTS, HEIGHTS[1:]), (12, 1e9), (20, 1e9)]
    shares = []
    for low, high in ranges:
        chosen = hidden[(heights >= low) & (heights < high)]
        shares.append(f"{100 * chosen.mean():6.1f} /{len(chosen):4d}" if len(chosen) else f"{'-':>12}")
    return " ".join(shares) + f" {result['masks'] / max(1, len(heights)):8.2f} {100 * result['wasted']:8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="images and labels.json")
    parser.add_argument("finds", nargs="+", help="files from detect.mjs; NAME+NAME puts the finds of several together")
    parser.add_argument("--class", dest="name", choices=("plate", "face"), required=True)
    parser.add_argument("--min", type=float, nargs="+", default=[0.1, 0.2, 0.3])
    args = parser.parse_args()

    labels = json.loads((args.folder / "labels.json").read_text())
    sizes = {file: cv2.imread(str(args.folder / file), cv2.IMREAD_GRAYSCALE).shape for file in labels}
    titles = ["<8", "8-12", "12-20", "20-40", "40+", "12+", "20+"]
    print(f"{'hidden % / objects, by height in px':40}", *(f"{title:>12}" for title in titles), "masks/object empty %")
    for names in args.finds:
        finds = [json.loads(Path(name).read_text()) for name in names.split("+")]
        images = [
            {
                "height": sizes[file][0],
                "width": sizes[file][1],
                "true": [o["box"] for o in labelled if o["class"] == args.name],
                "found": [box for one in finds for box in one[file][f"{args.name}s"]],
            }
            for file, labelled in labels.items()
        ]
        for min_score in args.min:
            title = "+".join(Path(name).stem for name in names.split("+"))
            print(f"{title[:34]:34} {min_score:5.2f}", row(measure(images, min_score)))


if __name__ == "__main__":
    main()

"""Writes what the public YOLOX-nano sees in the training images, looked at in several sizes and mirrored."""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch

from boxes import suppress
from network import CLASSES, VehicleNet, cell_corners, decode_boxes, load_public

FAMILIES = np.array([0, 1, 2, 1, 2, 2])  # person, cycle, vehicle: a find competes within its family
# Longer side of the image as the network sees it, and whether mirrored. Roadside pictures hold small vehicles.
LOOKS = {
    "plates": [(384, False), (640, True)],
    "faces": [(384, False), (640, True)],
    "vehicles": [(640, False), (960, True), (1280, False)],
}
# Of the sides of the network's input. Coarse, because torch takes seconds to prepare itself for each new shape.
STEP = 128
LEAST = 0.1
MOST_OVERLAP = 0.6


def look(network: VehicleNet, pixels: np.ndarray, side: int, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [n, 4] in pixels of the image, and scores [n, 6], of everything that scores at least `LEAST`."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if mirrored:
        small = small[:, ::-1]
    rows, columns = small.shape[:2]
    canvas = np.full((-rows % STEP + rows, -columns % STEP + columns, 3), 114, np.uint8)
    canvas[:rows, :columns] = small
    planes = torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1)[[1, 0, 2]])).float()[None]
    raw = network(planes)
    found = decode_boxes(raw, *cell_corners(*canvas.shape[:2]))[0].T
    scores = (raw[0, 5:].sigmoid() * raw[0, 4:5].sigmoid()).T
    chosen = scores.max(1).values >= LEAST
    found, scores = found[chosen].numpy(), scores[chosen].numpy()
    boxes = np.concatenate([found[:, :2] - found[:, 2:] / 2, found[:, :2] + found[:, 2:] / 2], 1)
    if mirrored:
        boxes[:, [0, 2]] = columns - boxes[:, [2, 0]]
    return boxes.clip(0, [columns, rows, columns, rows]) / scale, scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("public", type=Path, help="yolox_nano.onnx")
    parser.add_argument("--data", type=Path, default=Path("../../../../shared/data/train"))
    parser.add_argument("--every", type=int, default=1, help="looks at every n-th image of the folder of plates only")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = load_public(args.public).eval().to(memory_format=torch.channels_last)
    finds = {}
    for folder, looks in LOOKS.items():
        files = sorted(json.loads((args.data / folder / "labels.json").read_text()))
        for file in files[:: args.every] if folder == "plates" else files:
            pixels = cv2.imread(str(args.data / folder / file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            with torch.no_grad():
                seen = [look(network, pixels, side, mirrored) for side, mirrored in looks]
            boxes, scores = (np.concatenate(part) for part in zip(*seen))
            kinds, best = scores.argmax(1), scores.max(1)
            kept = suppress(boxes, best, FAMILIES[kinds], MOST_OVERLAP)
            finds[f"{folder}/{file}"] = [
                {"class": CLASSES[kinds[at]], "score": round(float(best[at]), 3), "box": [round(float(v), 1) for v in boxes[at]]}
                for at in kept
            ]
    args.out.write_text(json.dumps(finds))
    print(f"{len(finds)} images, {sum(map(len, finds.values()))} finds")


if __name__ == "__main__":
    main()

"""Says where the letters of real plates stand, as a reader in training sees it: so `samples.py` can take plates apart."""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch

from crops import GROWTH, cut, grow
from network import ALPHABET, COLUMNS, PIXEL_SCALE, PIXEL_SHIFT, ROWS, PlateReader

MAX_SLANT = 0.12  # of the letters of one line, in heights of the crop
LEAST_GAP = 0.45  # between letters, in usual gaps


def place(network: PlateReader, crop: np.ndarray, text: str) -> np.ndarray | None:
    """Middles [len(text), 2] of the letters in a crop, 0-1; none where the text is misread or stands in two lines."""
    planes = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[[1, 0, 2]]))[None].float()
    with torch.no_grad():
        logits, look = network(planes * PIXEL_SCALE + PIXEL_SHIFT)
    if "".join(ALPHABET[letter] for letter in logits[0].argmax(1)).rstrip("_") != text:
        return None
    share = look[0, : len(text)].softmax(1).reshape(-1, ROWS, COLUMNS).numpy()
    x = (share.sum(1) * (np.arange(COLUMNS) + 0.5)).sum(1) / COLUMNS
    y = (share.sum(2) * (np.arange(ROWS) + 0.5)).sum(1) / ROWS
    gaps = np.diff(x)
    if gaps.min() < LEAST_GAP * np.median(gaps) or np.ptp(y) > MAX_SLANT:
        return None
    return np.stack([x, y], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--images", type=Path, default=Path("../../../../shared/data/train/plates"))
    parser.add_argument("--texts", type=Path, required=True, help="from teacher.py")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = PlateReader().eval()
    network.load_state_dict(torch.load(args.checkpoint, map_location="cpu")["average"])
    texts = json.loads(args.texts.read_text())
    for one in texts:
        if one["use"] != "train":
            continue
        pixels = cv2.imread(str(args.images / one["file"]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        box = grow(np.array(one["box"]), GROWTH)
        middles = place(network, cut(pixels, box), one["text"])
        if middles is not None:
            one["middles"] = (middles * (box[2:] - box[:2]) + box[:2]).round(1).tolist()
    args.out.write_text(json.dumps(texts))
    print(f"{sum('middles' in one for one in texts)} plates whose letters have a place")


if __name__ == "__main__":
    main()

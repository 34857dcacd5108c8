"""Lists training images that look like validation images, mirrored or not.

Two hashes of 64 bits have to be alike: which neighbours get brighter, and which frequencies are strong.
"""
import argparse
from pathlib import Path

import cv2
import numpy as np

VALIDATION = ("plates-cars", "plates-dashcam", "faces-crowd", "vehicles-roadside")
TRAINING = ("train/plates", "train/faces", "train/vehicles")
# Bits of 64 that may differ, in both hashes, for two images to count as the same.
MAX_DIFFERENT = 10


def hashes(grey: np.ndarray) -> np.ndarray:
    """bool [2, 64]: neighbours that get brighter to the right; low frequencies above their median."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    frequencies = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[:8, :8].ravel()
    return np.stack([(small[:, 1:] > small[:, :-1]).ravel(), frequencies > np.median(frequencies[1:])])


def hash_folder(folder: Path, mirrored: bool) -> tuple[list[str], np.ndarray]:
    """Names, and their hashes bool [n, 2, 64]; with `mirrored` four times: as it is, mirrored, upside down, both."""
    names, values = [], []
    for path in sorted(folder.glob("*.jpg")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for flipped in [grey, grey[:, ::-1], grey[::-1], grey[::-1, ::-1]] if mirrored else [grey]:
            names.append(path.name)
            values.append(hashes(np.ascontiguousarray(flipped)))
    return names, np.array(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../../../shared/data"))
    parser.add_argument("--out", type=Path, required=True, help="list of training images to leave out")
    args = parser.parse_args()

    validation = {folder: hash_folder(args.data / folder, mirrored=True) for folder in VALIDATION}
    alike = set()
    for training in TRAINING:
        names, values = hash_folder(args.data / training, mirrored=False)
        for folder, (others, theirs) in validation.items():
            different = (values[:, None] != theirs[None]).sum(-1).max(-1)
            for at, to in zip(*np.nonzero(different <= MAX_DIFFERENT)):
                print(f"{training}/{names[at]} is like {folder}/{others[to]} ({different[at, to]} bits)")
                alike.add(f"{training.removeprefix('train/')}/{names[at]}")
    args.out.write_text("".join(f"{name}\n" for name in sorted(alike)))
    print(f"{len(alike)} training images look like validation images")


if __name__ == "__main__":
    main()

"""Shows that the port computes what the public network computes, on one image: largest differences, through OpenCV's ONNX reader."""
import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from network import COCO_ROWS, load_public


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("public", type=Path, help="yolox_nano.onnx")
    parser.add_argument("image", type=Path)
    args = parser.parse_args()
    pixels = cv2.resize(cv2.imread(str(args.image)), (416, 416))
    net = cv2.dnn.readNetFromONNX(str(args.public))
    net.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]).astype(np.float32))
    theirs = net.forward().reshape(-1, 85)[:, [0, 1, 2, 3, 4, *(5 + row for row in COCO_ROWS)]]
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[[1, 0, 2]])).float()
    with torch.no_grad():
        ours = load_public(args.public).eval()(planes[None])[0].T
    ours[:, 4:] = ours[:, 4:].sigmoid()
    difference = np.abs(ours.numpy() - theirs)
    print(f"boxes differ by at most {difference[:, :4].max():.2e} strides, scores by {difference[:, 4:].max():.2e};")
    print(f"surest objectness {theirs[:, 4].max():.3f} and {float(ours[:, 4].max()):.3f}")


if __name__ == "__main__":
    main()

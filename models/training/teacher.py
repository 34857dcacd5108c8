"""Joins what `detect.mjs` found with the public networks in the training folders into one file that `data.py` reads.

Drops the images whose labels lie elsewhere than a plate that the teacher is sure of: a few are turned against their labels.
"""
import argparse
import json
from pathlib import Path

from data import corners_of, covered

SURE = 0.6


def lies_elsewhere(labelled: list[dict], plates: list[list[float]]) -> bool:
    """Whether the teacher is sure of a plate, and none of what it finds touches any label."""
    boxes = [corners_of(o["box"]) for o in labelled if o["class"] == "plate"]
    touches = any(covered(corners_of(plate[:4]), box) > 0.05 for plate in plates for box in boxes)
    return bool(boxes) and not touches and any(plate[4] > SURE for plate in plates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../../../shared/data/train"))
    parser.add_argument("--finds", type=Path, required=True, help="folder with plates-FOLDER.json and faces-FOLDER.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--turned", type=Path, required=True, help="list of images to leave out")
    args = parser.parse_args()

    finds, turned = {}, []
    for folder in ("plates", "faces", "vehicles"):
        labels = json.loads((args.data / folder / "labels.json").read_text())
        plates = json.loads((args.finds / f"plates-{folder}.json").read_text())
        faces = json.loads((args.finds / f"faces-{folder}.json").read_text())
        for file, labelled in labels.items():
            name = f"{folder}/{file}"
            finds[name] = {"plates": plates[file]["plates"], "faces": faces[file]["faces"]}
            if lies_elsewhere(labelled, plates[file]["plates"]):
                turned.append(name)
    args.out.write_text(json.dumps(finds))
    args.turned.write_text("".join(f"{name}\n" for name in turned))
    print(f"{len(finds)} images, {len(turned)} turned against their labels")


if __name__ == "__main__":
    main()

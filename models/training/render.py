"""
Renders stills of the self-test's street for training, with exact boxes: other cameras, light, cars, plates and people each time.

  blender -b --python-exit-code 1 -P render.py -- --scene ../../../shared/selftest/scene --count 150 --out FOLDER

Still number n is made from the seed and n alone; stills that are there already are left as they are. The folder gets `labels.json`:
{file: [{"class", "box": [x, y, width, height], "corners"?: 4 x [x, y] from the top left, "ignore"?: true}]}. What is marked to be
ignored is hidden by half or more, or seen from too far aside for anybody to say whether it should be found.
"""
import argparse
import json
import math
import random
import shutil
import sys
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parent))
from synthetic_plates import draw_plate  # noqa: E402

WIDTH, HEIGHT = 768, 432
SAMPLES = 8  # rays a pixel; what noise is left looks like a sensor's
GRAIN = 2  # the truth's silhouettes are drawn at a half of the size
PAINTS = ((142, 24, 28), (128, 133, 139), (236, 236, 233), (24, 42, 78), (30, 31, 33), (64, 92, 60), (196, 168, 40))
KINDS = ("hatch", "sedan", "suv")
CASTS = ("man1", "woman1", "man2", "man3")
CARS, PEOPLE = 7, 6
LANES = ((-4.4, -1), (-1.7, -1), (1.25, 1), (3.8, 1))  # x, and which way along y one drives there
PLATE_ASPECT = 0.52 / 0.112  # of the scene's own plates
MIN_VISIBLE = 0.5
AWAY = (-60.0, -60.0)  # where the scene hides what is not to be seen


def import_scene(folder: Path, copy: Path):
    """The scene's module, from a copy: it writes its textures beside itself."""
    if not copy.exists():
        shutil.copytree(folder, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    sys.path.insert(0, str(copy))
    import carlib
    import scene

    carlib.PXM = 220  # the stills are small, and so may the textures be
    return scene


class Street:
    """The scene with actors that stand wherever they are put."""

    def __init__(self, scene, dice: random.Random):
        self.scene = scene
        self.cars = [Actor() for _ in range(CARS)]
        self.people = [Actor() for _ in range(PEOPLE)]
        scene.CARS[:] = [
            {
                "id": f"car-{at}", "kind": KINDS[at % 3], "paint": PAINTS[at], "plate": "X 0", "path": actor.drive,
                "dirn": 1, "seed": at, "lamp": at % 2 == 0,
            }
            for at, actor in enumerate(self.cars)
        ]
        scene.PEOPLE[:] = [
            {
                "id": f"person-{at}", "cast": CASTS[at % 4], "path": actor.walk, "mode": "walk", "seed": at,
                "yaw": dice.uniform(-25, 25), "nod": dice.uniform(-8, 12), "stride": 1.4,
            }
            for at, actor in enumerate(self.people)
        ]
        scene.THREADS = 1
        scene.build_static()
        scene.build_actors()
        scene.setup_render(WIDTH, HEIGHT, SAMPLES)

    def set_out(self, dice: random.Random, plates: Path) -> None:
        """Cars on lanes and now and then across them, people on pavements and on the road, the camera aimed at one of them."""
        back = dice.random() < 0.3  # the camera looks down the street
        near = dice.uniform(34, 58) if back else dice.uniform(-4, 14)
        along = -1 if back else 1
        for actor in (*self.cars, *self.people):
            actor.place = AWAY
        taken: list[tuple[float, float]] = []
        for actor, car in zip(self.cars, self.scene.CARS):
            x, way = dice.choice(LANES)
            x, y = x + dice.gauss(0, 0.25), near + along * dice.uniform(4, 32)
            if dice.random() < 0.25 or any(abs(x - a) < 2.2 and abs(y - b) < 6 for a, b in taken):
                continue
            taken.append((x, y))
            turn = dice.uniform(-0.6, 0.6) if dice.random() < 0.2 else dice.gauss(0, 0.05)
            actor.place, actor.angle = (x, y), way * math.pi / 2 + turn
            self.change_plates(car, dice, plates)
        for actor, person in zip(self.people, self.scene.PEOPLE):
            if dice.random() < 0.25:
                continue
            side = dice.choice([(-9.0, -5.9), (5.5, 9.0), (-5.0, 5.0)])
            actor.place = (dice.uniform(*side), min(29.0, max(4.0, near + along * dice.uniform(3, 20))))
            actor.angle = (math.pi if back else 0) + dice.uniform(-1.3, 1.3)
            actor.phase = dice.uniform(0, 1.4)
            person["yaw"], person["nod"] = dice.uniform(-25, 25), dice.uniform(-8, 14)
        self.aim(dice, near, along)
        self.light(dice)

    def change_plates(self, car: dict, dice: random.Random, folder: Path) -> None:
        """Gives a car other plates, in their own shape."""
        drawn = draw_plate(dice)
        file = folder / f"{dice.getrandbits(40):010x}.png"
        cv2.imwrite(str(file), drawn)
        aspect = drawn.shape[1] / drawn.shape[0]
        wide, high = min(1.0, aspect / PLATE_ASPECT + 0.12), min(1.5, max(1.0, 1 / (aspect / PLATE_ASPECT + 0.3)))
        for end, (plate, quad) in car["info"]["plates"].items():
            node = next(one for one in plate.data.materials[0].node_tree.nodes if one.type == "TEX_IMAGE")
            node.image = bpy.data.images.load(str(file))
            frame = bpy.data.objects[plate.name.replace("plate_", "pframe_")]
            plate.scale = frame.scale = (1, wide, high)
            bpy.context.view_layer.update()
            matrix = np.array(self.scene.local_matrix(plate, car["info"]["root"]))
            car["plq"][end] = (np.c_[np.array(quad), np.ones(4)] @ matrix.T)[:, :3]

    def aim(self, dice: random.Random, near: float, along: int) -> None:
        heads = [(*one.place, 1.6) for one in self.people if one.place != AWAY]
        bodies = [(*one.place, 0.6) for one in self.cars if one.place != AWAY]
        target = dice.choice((heads if heads and dice.random() < 0.4 else bodies) or heads or [(0.0, near + 12 * along, 0.8)])
        place = (dice.uniform(-5.0, 4.8), near, math.exp(dice.uniform(math.log(1.2), math.log(6.5))))
        distance = math.dist(place, target)
        # Of the street so many metres show across the picture.
        view = math.degrees(2 * math.atan(math.exp(dice.uniform(math.log(2.5), math.log(16))) / 2 / distance))
        off = [dice.gauss(0, 0.5), dice.gauss(0, 0.5), dice.gauss(0, 0.3)]
        self.scene.CAM.update(pos=place, aim=tuple(a + b for a, b in zip(target, off)), hfov=min(75.0, max(5.0, view)))
        camera = bpy.context.scene.camera
        camera.data.angle = math.radians(self.scene.CAM["hfov"])
        camera.location = place
        camera.rotation_euler = (Vector(self.scene.CAM["aim"]) - Vector(place)).to_track_quat("-Z", "Y").to_euler()

    def light(self, dice: random.Random) -> None:
        """Sun from anywhere, an overcast sky, dusk."""
        kind = dice.choices(("sun", "clouds", "dusk"), (0.5, 0.3, 0.2))[0]
        sun = bpy.data.objects["sun"]
        to = Vector((dice.gauss(0, 0.6), dice.gauss(0, 0.6), dice.uniform(0.25, 0.9))).normalized()
        sun.rotation_euler = to.to_track_quat("Z", "Y").to_euler()
        sun.data.energy = {"sun": dice.uniform(2.5, 6), "clouds": 0.4, "dusk": 0.02}[kind]
        sky = {"sun": dice.uniform(0.4, 0.9), "clouds": dice.uniform(0.7, 1.3), "dusk": dice.uniform(0.06, 0.2)}[kind]
        bpy.context.scene.world.node_tree.nodes["Background"].inputs[1].default_value = sky
        bpy.context.scene.view_settings.exposure = dice.gauss(0.35, 0.4) + (1.2 if kind == "dusk" else 0)

    def truth(self) -> list[dict]:
        state = self.scene.set_time(0.0)
        found, _, _ = self.scene.ground_truth(state, 0.0, WIDTH, HEIGHT, GRAIN)
        labels = []
        for one in found:
            if one["cls"] not in ("plate", "face"):
                continue
            label = {"class": one["cls"], "box": one["box"]}
            if "quad" in one:
                label["corners"] = one["quad"][::-1]
            if one["visibility"] < MIN_VISIBLE or one["inFrame"] < MIN_VISIBLE or one.get("facing", 1) < 0.4:
                label["ignore"] = True
            labels.append(label)
        return labels + self.doubtful(state, labels)

    def doubtful(self, state: dict, labels: list[dict]) -> list[dict]:
        """Places of plates and faces that the scene's own truth leaves out: seen from far aside, tiny, half turned away."""
        project, camera = self.scene.cam_setup(WIDTH, HEIGHT), np.array(self.scene.CAM["pos"])
        places = []
        for actor in state.values():
            shapes = [("plate", quad) for quad in actor["plates"].values()] if actor["kind"] == "car" else [("face", actor["face"])]
            for name, points in shapes:
                if name == "plate" and np.cross(points[1] - points[0], points[3] - points[0]) @ (camera - points[0]) < 0:
                    continue  # seen from behind, and the car before it
                pixels, depth = project(points)
                box, _ = self.scene.clipbox(pixels, WIDTH, HEIGHT)
                known = any(one["class"] == name and np.allclose(one["box"], box or 0, atol=0.2) for one in labels)
                if depth.min() > 0.3 and box and not known:
                    places.append({"class": name, "box": box, "ignore": True})
        return places


class Actor:
    """Where a car or a person stands; the scene asks for it as if it moved, and takes the heading from that."""

    def __init__(self):
        self.place, self.angle, self.phase = AWAY, 0.0, 0.0

    def drive(self, t: float) -> tuple[float, float]:
        x, y = self.place
        return x + t * math.cos(self.angle), y + t * math.sin(self.angle)

    def walk(self, _: float) -> tuple[float, float, float, float]:
        return (*self.place, self.angle, self.phase)


def finish(pixels: np.ndarray) -> np.ndarray:
    """Less of the renderer's noise, and a lens's softness."""
    return cv2.GaussianBlur(cv2.bilateralFilter(pixels, 5, 18, 2), (0, 0), 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])
    args.out.mkdir(parents=True, exist_ok=True)
    street = Street(import_scene(args.scene, args.out / "scene"), random.Random(args.seed))
    file = args.out / "labels.json"
    labels = json.loads(file.read_text()) if file.exists() else {}
    for number in range(args.count):
        name = f"{number:04d}.jpg"
        if name in labels:
            continue
        street.set_out(random.Random(args.seed * 1_000_003 + number), args.out / "scene" / "textures")
        found = street.truth()
        raw = args.out / "raw.png"
        took = street.scene.render(str(raw))
        cv2.imwrite(str(args.out / name), finish(cv2.imread(str(raw))), [cv2.IMWRITE_JPEG_QUALITY, 92])
        labels[name] = found
        file.write_text(json.dumps(labels))
        print(f"still {number}: {len(found)} plates and faces, {took:.0f} s", flush=True)


main()

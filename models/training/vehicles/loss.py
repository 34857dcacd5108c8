"""YOLOX's loss (SimOTA assignment), with places of which nothing is known. Coordinates in pixels."""
import torch
from torch.nn import functional as F

from network import CLASSES, decode_boxes

REACH = 2.0  # strides around an object's centre in which cells may look for it
MOST_CELLS = 10
BOX_WEIGHT = 5.0
# What an object counts for in the class loss, in the order of CLASSES: forty cars come to one bus, and all would be called car.
CLASS_WORTH = torch.tensor([1.0, 3.0, 0.6, 3.0, 5.0, 4.0])


def edges(found: torch.Tensor) -> torch.Tensor:
    """Centre and size [4, N] to left, top, right, bottom [N, 4]."""
    return torch.cat([found[:2] - found[2:] / 2, found[:2] + found[2:] / 2]).T


def overlaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of boxes [..., 4]."""
    common = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    return common / ((a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - common + 1e-6)


def assign(raw, boxes, truth, classes, centres, strides):
    """
    Which cell looks for which object: those to which it is cheapest now, as many as they already overlap it well.

    @param raw [11, N]; boxes [N, 4]; truth [n, 4]; classes [n]; centres [2, N]; strides [1, N]
    @returns cells [k], the object of each [k], overlap of each [k]
    """
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    near = torch.maximum((centres[0] - middle[:, :1]).abs(), (centres[1] - middle[:, 1:]).abs()) < REACH * strides
    candidates = near.any(0).nonzero()[:, 0]
    share = overlaps(truth[:, None], boxes[None, candidates])
    score = (raw[5:, candidates].sigmoid() * raw[4:5, candidates].sigmoid()).sqrt().clamp(1e-6, 1 - 1e-6)
    absent = -(1 - score).log()
    cost = absent.sum(0) + (-score.log() - absent)[classes] - 3 * (share + 1e-8).log() + 1e5 * ~near[:, candidates]
    counts = share.topk(min(MOST_CELLS, share.shape[1]), 1).values.sum(1).int().clamp(min=1)
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    for at, count in enumerate(counts.tolist()):
        chosen[at, cost[at].topk(count, largest=False).indices] = True
    owner_cost, owner = torch.where(chosen, cost, torch.inf).min(0)
    taken = (owner_cost < 1e5).nonzero()[:, 0]
    owner = owner[taken]
    return candidates[taken], owner, share[owner, taken]


def total_loss(raw: torch.Tensor, known: list, corners: torch.Tensor, strides: torch.Tensor) -> dict[str, torch.Tensor]:
    """The parts of a batch's loss; `raw` [B, 11, N], `known` the samples' objects."""
    found = decode_boxes(raw, corners, strides)
    centres = corners + strides / 2
    target, weight = torch.zeros_like(raw[:, 4]), torch.ones_like(raw[:, 4])
    box_loss, class_loss, count = raw.new_zeros(()), raw.new_zeros(()), 0
    for at, objects in enumerate(known):
        for left, top, right, bottom in objects.ignore.tolist():
            inside = (centres[0] > left) & (centres[0] < right) & (centres[1] > top) & (centres[1] < bottom)
            weight[at, inside] = 0
        if not len(objects.boxes):
            continue
        truth, classes = torch.from_numpy(objects.boxes), torch.from_numpy(objects.classes)
        boxes = edges(found[at])
        with torch.no_grad():
            cells, owner, share = assign(raw[at], boxes, truth, classes, centres, strides)
        if not len(cells):
            continue
        target[at, cells] = 1
        weight[at, cells] = 1
        box_loss = box_loss + (1 - overlaps(boxes[cells], truth[owner]) ** 2).sum()
        wanted = F.one_hot(classes[owner], len(CLASSES)) * share[:, None]
        wrong = F.binary_cross_entropy_with_logits(raw[at, 5:, cells].T, wanted, reduction="none").sum(1)
        class_loss = class_loss + (wrong * CLASS_WORTH[classes[owner]]).sum()
        count += len(cells)
    object_loss = F.binary_cross_entropy_with_logits(raw[:, 4], target, weight, reduction="sum")
    count = max(count, 1)
    return {"object": object_loss / count, "class": class_loss / count, "box": BOX_WEIGHT * box_loss / count}

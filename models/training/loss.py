"""What an answer costs: which cells have to find which object, and how far off they are. Coordinates in pixels."""
import torch
from torch.nn import functional as F

from network import decode

# A cell of a stride looks for objects of these sizes (the root of the area), in strides. The ranges overlap widely.
SIZES = {8: (0.0, 10.0), 16: (2.0, 12.0), 32: (2.5, 1e9)}
CENTRE_REACH = 1.5  # strides around an object's centre in which cells may look for it, where it is smaller than that
CELLS_AN_OBJECT = 9
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
BOX_WEIGHT, CORNER_WEIGHT = 2.5, 0.6


class Known:
    """One group's truth in one sample: boxes [n, 4] and ignore [m, 4] (left, top, right, bottom), corners [n, 4, 2]."""

    def __init__(self, boxes, corners, ignore):
        self.boxes, self.corners, self.ignore = (torch.as_tensor(x) for x in (boxes, corners, ignore))


def edges(found: torch.Tensor) -> torch.Tensor:
    """Decoded columns [columns, N] to boxes [N, 4]: left, top, right, bottom."""
    middle, half = found[1:3], found[3:5] / 2
    return torch.cat([middle - half, middle + half]).T


def overlaps(a: torch.Tensor, b: torch.Tensor, distance: bool = False) -> torch.Tensor:
    """Intersection over union of boxes [..., 4]; with `distance`, less the squared distance of the centres (DIoU)."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    share = common / (areas - common + 1e-6)
    if not distance:
        return share
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])) / 2
    return share - (apart**2).sum(-1) / ((hull**2).sum(-1) + 1e-6)


def assign(
    scores: torch.Tensor, boxes: torch.Tensor, known: Known, centres: torch.Tensor, strides: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Task-aligned assignment: for each object the cells that find it best now.

    @param scores [N]; boxes [N, 4]; centres [2, N]; strides [1, N]
    @returns indices of cells [k], the object of each [k], and how much each is worth, 0-1 [k]
    """
    truth, x, y, stride = known.boxes, centres[0], centres[1], strides[0]
    inside = (x > truth[:, :1]) & (x < truth[:, 2:3]) & (y > truth[:, 1:2]) & (y < truth[:, 3:])
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    near = torch.maximum((x - middle[:, :1]).abs(), (y - middle[:, 1:]).abs()) < CENTRE_REACH * stride
    size = (truth[:, 2:] - truth[:, :2]).prod(1, keepdim=True).sqrt()
    fits = torch.zeros_like(inside)
    for step, (low, high) in SIZES.items():
        fits |= (stride == step) & (size >= low * step) & (size <= high * step)
    allowed = (inside | near) & fits
    share = overlaps(truth[:, None], boxes[None])
    value = (scores[None].clamp(min=1e-4) ** SCORE_POWER * (share + 0.02) ** OVERLAP_POWER) * allowed
    best, cells = value.topk(min(CELLS_AN_OBJECT, value.shape[1]), 1)
    chosen = torch.zeros_like(value).scatter_(1, cells, best)
    owner_value, owner = chosen.max(0)
    cells = owner_value.nonzero()[:, 0]
    owner = owner[cells]
    best_value = chosen.max(1).values[owner]
    best_share = (share * (chosen > 0)).max(1).values[owner]
    worth = owner_value[cells] / best_value.clamp(min=1e-12) * (0.5 + 0.5 * best_share)
    return cells, owner, worth


def group_loss(
    raw: torch.Tensor, known: list[Known], centres: torch.Tensor, strides: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The parts of one group's loss over a batch: score, box, corners. `raw` [B, columns, N] as the network gives it."""
    found = decode(raw, centres, strides)
    target, weight, cells, boxes, corners = targets(found.detach(), known, centres, strides)
    worth = target.flatten()[cells]
    total = worth.sum().clamp(min=4.0)
    mine = found.transpose(1, 2).flatten(0, 1)[cells]
    box_loss = ((1 - overlaps(edges(mine.T), boxes, distance=True)) * worth).sum()

    sure = ~corners.isnan().any(1)
    height = (boxes[sure, 3] - boxes[sure, 1])[:, None]
    wanted = corners[sure, : mine.shape[1] - 5]  # none for faces
    off = F.smooth_l1_loss(mine[sure, 5:] / height, wanted / height, reduction="none", beta=0.1)
    corner_loss = (off.sum(1) / 8 * worth[sure]).sum()

    logit = raw[:, 0]
    focus = torch.where(target > 0, target, 0.75 * found[:, 0].detach() ** 2) * weight
    score_loss = (F.binary_cross_entropy_with_logits(logit, target, reduction="none") * focus).sum()
    return {
        "score": score_loss / total,
        "box": BOX_WEIGHT * box_loss / total,
        "corner": CORNER_WEIGHT * corner_loss / total,
    }


@torch.no_grad()
def targets(
    found: torch.Tensor, known: list[Known], centres: torch.Tensor, strides: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """
    What the cells of a batch should answer.

    @returns wanted scores [B, N]; weights of the scores, 0 where nothing is known [B, N]; for the k cells that look for an
        object: their index in [B * N], the object's box [k, 4] and corners [k, 8]
    """
    wanted = torch.zeros_like(found[:, 0])
    weight = torch.ones_like(wanted)
    x, y = centres
    indices, boxes, corners = [], [], []
    for at, truth in enumerate(known):
        if len(truth.ignore):
            left, top, right, bottom = truth.ignore.T[..., None]
            unknown = (x > left - 4) & (x < right + 4) & (y > top - 4) & (y < bottom + 4)
            weight[at, unknown.any(0)] = 0
        if not len(truth.boxes):
            continue
        cells, owner, worth = assign(found[at, 0], edges(found[at]), truth, centres, strides)
        wanted[at, cells] = worth
        weight[at, cells] = 1
        indices.append(cells + at * wanted.shape[1])
        boxes.append(truth.boxes[owner])
        corners.append(truth.corners[owner].flatten(1))
    if not indices:
        return wanted, weight, torch.zeros(0, dtype=torch.long), found.new_zeros(0, 4), found.new_zeros(0, 8)
    return wanted, weight, torch.cat(indices), torch.cat(boxes), torch.cat(corners)

"""Boxes as float32 [n, 4]: left, top, right, bottom in pixels."""
import numpy as np


def shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Areas that each of a [n, 4] has in common with each of b [m, 4]: [n, m]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    return (high - low).clip(min=0).prod(-1)


def areas(a: np.ndarray) -> np.ndarray:
    return (a[:, 2:] - a[:, :2]).clip(min=0).prod(-1)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union [n, m]."""
    common = shared(a, b)
    return common / (areas(a)[:, None] + areas(b)[None] - common + 1e-9)


def suppress(boxes: np.ndarray, scores: np.ndarray, families: np.ndarray, most: float) -> list[int]:
    """Indices of the surest boxes, surest first; within a family no two overlap by more than `most`."""
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        rivals = [other for other in kept if families[other] == families[at]]
        if not rivals or overlaps(boxes[at : at + 1], boxes[rivals]).max() <= most:
            kept.append(int(at))
    return kept

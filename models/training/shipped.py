"""Weights of an exported network, to train on from: checkpoints are large and seldom kept."""
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from blocks import load
from network import PIXEL_SCALE, PlateFaceNet

PREFIX = "network."  # what export.py calls the network in its wrapper
FIRST = "stem.0.weight"  # has taken in PIXEL_SCALE


def load_shipped(network: PlateFaceNet, path: Path) -> None:
    """
    Gives a new network the weights of a float32 export.

    The export's batch norms are folded into its convolutions, and so are the network's then: a step takes less time without
    them, and wants a lower learning rate.
    """
    weights = {
        one.name.removeprefix(PREFIX): torch.from_numpy(numpy_helper.to_array(one).copy())
        for one in onnx.load(str(path)).graph.initializer
        if one.name.startswith(PREFIX)
    }
    weights[FIRST] /= PIXEL_SCALE
    load(network, weights)

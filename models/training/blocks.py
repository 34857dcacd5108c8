"""What our networks are made of, and how they become ONNX."""
import inspect

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

OPSET = 13


class Conv(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=0.03, eps=1e-3),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two convolutions through a narrower middle, added to what came in."""

    def __init__(self, width: int, middle: int):
        super().__init__()
        self.body = nn.Sequential(Conv(width, middle), Conv(middle, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def fold(network: nn.Module) -> None:
    """Merges each batch norm into the convolution before it; what is folded already stays as it is."""
    for module in network.eval().modules():
        if isinstance(module, Conv) and isinstance(module[1], nn.BatchNorm2d):
            module[0] = fuse_conv_bn_eval(module[0], module[1]).requires_grad_(True)
            module[1] = nn.Identity()


def load(network: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Puts weights into a new network, which is folded first where the weights are."""
    if not any(name.endswith("running_var") for name in weights):
        fold(network)
    network.load_state_dict(weights)


def write_onnx(network: nn.Module, example: torch.Tensor, path: str, names: tuple[str, list[str]], axes: dict) -> None:
    """`names` of the input and of the outputs; `axes` that may have any size, by name."""
    # Newer versions of torch would use another exporter, which needs packages that Debian lacks.
    older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(
        network, (example,), path, opset_version=OPSET, input_names=[names[0]], output_names=names[1], dynamic_axes=axes, **older
    )

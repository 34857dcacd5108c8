"""Turns an exported network into one that computes in bytes: `expose` its activations, measure them with `ranges.mjs`, `write`.

Static quantisation in ONNX's QDQ form, which ONNX Runtime fuses to integer convolutions. Activations are unsigned with zero at
zero (every one of them comes out of a ReLU or is a sum of such), weights are signed, one scale a channel. Weights keep to
7 bits: processors without VNNI add two products in 16 bits, and 8 bits would overflow there and find other things.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIXELS = "/Cast_output_0"  # the input as floats; its bytes are taken as they are
LARGEST_WEIGHT = 63
LARGEST_ACTIVATION = 255


def activations(graph: onnx.GraphProto) -> list[str]:
    """Outputs that can be bytes: of ReLUs after convolutions, of sums and enlargements of such."""
    users = uses(graph)
    whole = {PIXELS}
    found = []
    for node in graph.node:
        output = None
        if node.op_type == "Conv" and node.input[0] in whole:
            relu = relu_after(node, users)
            output = relu.output[0] if relu else None
        elif node.op_type == "Add" and all(one in whole for one in node.input):
            output = node.output[0]
        elif node.op_type == "Resize" and node.input[0] in whole:
            output = node.output[0]
        if output:
            whole.add(output)
            found.append(output)
    return found


def uses(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return users


def relu_after(node: onnx.NodeProto, users: dict[str, list[onnx.NodeProto]]) -> onnx.NodeProto | None:
    after = users.get(node.output[0], [])
    return after[0] if len(after) == 1 and after[0].op_type == "Relu" else None


class Writer:
    """Builds the quantised graph beside the old one."""

    def __init__(self, graph: onnx.GraphProto, largest: dict[str, float]):
        self.graph, self.users = graph, uses(graph)
        self.weights = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        self.scales = {PIXELS: 1.0, **{name: max(value, 1e-6) / LARGEST_ACTIVATION for name, value in largest.items()}}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.replaced: set[str] = set()

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def scale_of(self, name: str) -> list[str]:
        scale = np.asarray(self.scales[name], np.float32)
        return [self.constant(f"{name}_scale", scale), self.constant(f"{name}_zero", np.asarray(0, np.uint8))]

    def to_bytes(self, floats: str, name: str) -> None:
        """Rounds what `floats` holds to bytes, which saturates below zero as the ReLU did; what uses them reads `NAME_bytes`."""
        scale = self.scale_of(name)
        self.nodes.append(helper.make_node("QuantizeLinear", [floats, *scale], [f"{name}_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *scale], [f"{name}_bytes"]))

    def fixed(self, name: str, value: np.ndarray, scale: np.ndarray, kind: type) -> str:
        """A weight or bias in whole numbers, one scale for each output channel."""
        parts = [
            self.constant(f"{name}_q", value.astype(kind)),
            self.constant(f"{name}_scale", scale.astype(np.float32)),
            self.constant(f"{name}_zero", np.zeros(len(scale), kind)),
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", parts, [f"{name}_fixed"], axis=0))
        self.replaced.add(name)
        return f"{name}_fixed"

    def convolution(self, node: onnx.NodeProto) -> None:
        source, weight_name, bias_name = node.input
        weight, bias = self.weights[weight_name], self.weights[bias_name]
        scale = np.maximum(np.abs(weight).reshape(len(weight), -1).max(1), 1e-8) / LARGEST_WEIGHT
        rounded = np.round(weight / scale[:, None, None, None])
        bias_scale = scale * self.scales[source]
        inputs = [
            f"{source}_bytes",
            self.fixed(weight_name, rounded.clip(-LARGEST_WEIGHT, LARGEST_WEIGHT), scale, np.int8),
            self.fixed(bias_name, np.round(bias / bias_scale), bias_scale, np.int32),
        ]
        self.copy(node, inputs)

    def copy(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        copied = helper.make_node(node.op_type, inputs, node.output, node.name)
        copied.attribute.extend(node.attribute)
        self.nodes.append(copied)

    def write(self) -> None:
        done: set[str] = set()
        self.nodes.append(helper.make_node("DequantizeLinear", ["image", *self.scale_of(PIXELS)], [f"{PIXELS}_bytes"]))
        for node in self.graph.node:
            output = node.output[0]
            if output in done or output == PIXELS:
                continue
            if node.op_type == "Conv" and node.input[0] in self.scales:
                self.convolution(node)
                relu = relu_after(node, self.users)
                if relu:
                    self.to_bytes(output, relu.output[0])
                    done.add(relu.output[0])
            elif output in self.scales:
                if node.op_type == "Resize":  # repeats values: they keep their scale
                    self.scales[output] = self.scales[node.input[0]]
                self.copy(node, [f"{one}_bytes" if one in self.scales else one for one in node.input])
                self.to_bytes(output, output)
            else:
                self.copy(node, [f"{one}_bytes" if one in self.scales and one != PIXELS else one for one in node.input])
        kept = [one for one in self.graph.initializer if one.name not in self.replaced]
        for field, values in ((self.graph.node, self.nodes), (self.graph.initializer, [*kept, *self.constants.values()])):
            del field[:]
            field.extend(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("expose", "write"))
    parser.add_argument("network", type=Path, help="from export.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--ranges", type=Path, help="for write, from ranges.mjs")
    args = parser.parse_args()
    model = onnx.load(str(args.network))
    if args.step == "expose":
        for name in activations(model.graph):
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    else:
        Writer(model.graph, json.loads(args.ranges.read_text())).write()
        onnx.checker.check_model(model)
    onnx.save(model, str(args.out))


if __name__ == "__main__":
    main()

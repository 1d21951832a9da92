"""The course's network as an ONNX graph, with the way back to the pixels: all that a search in a browser needs."""

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS = ["Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dense"]  # of convolutional_network
OPSET = 13


class _Graph:
    """Nodes and weights, one after the other."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def __call__(self, kind: str, *inputs: str, name: str = "", **settings: object) -> str:
        """Add a node; return the name of what comes out."""
        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **settings))
        return name

    def hold(self, values: object, dtype: type = np.float32) -> str:
        """Add numbers that stay as they are; return their name."""
        name = f"held_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name


def onnx_graph(network: keras.Model) -> onnx.ModelProto:
    """Write a network with the layers of `convolutional_network` as a graph.

    It takes `images`, float32 (N, 1, H, W), with their noise, and `wanted`, float32 (M, classes), M from 1 to N: a 1
    for the class that an image is to be taken for. It returns `logits`, (N, classes), and `gradient`, (1, 1, H, W):
    that of the cross-entropy with `wanted`, averaged over the first M images.

    Where several pixels of a window are the largest, each gets its gradient, as in `find_universal_noise`; and as
    there the average is taken before the first convolution, which is then gone back through only once.
    """
    if [type(layer).__name__ for layer in network.layers] != LAYERS:
        raise ValueError(f"only convolutional_network can be written as a graph here, got {network.name}")
    (height, width, _), classes = network.input_shape[1:], network.output_shape[1]
    graph = _Graph()
    ours = [layer.get_weights() for layer in network.layers if layer.get_weights()]
    side, last = (height // 4, width // 4), ours[1][0].shape[-1]
    ours[2][0] = ours[2][0].reshape(*side, last, -1).transpose(2, 0, 1, 3).reshape(ours[2][0].shape)  # channels first
    kernels = [graph.hold(kernel.transpose(3, 2, 0, 1)) for kernel, _ in ours[:2]]
    dense = [graph.hold(matrix) for matrix, _ in ours[2:]]
    biases = [graph.hold(bias) for _, bias in ours]
    same = {"pads": [ours[0][0].shape[0] // 2] * 4}

    # Forth. ReLU comes behind the pooling, where it has a quarter of the work and changes nothing.
    here, convolved, pooled = "images", [], []
    for kernel, bias in zip(kernels, biases[:2], strict=True):
        convolved.append(graph("Conv", here, kernel, bias, **same))
        pooled.append(graph("MaxPool", convolved[-1], kernel_shape=[2, 2], strides=[2, 2]))
        here = graph("Relu", pooled[-1])
    hidden = graph("Relu", graph("Gemm", graph("Flatten", here), dense[0], biases[2]))
    graph("Gemm", hidden, dense[1], biases[3], name="logits")

    # And back, for the first M images only.
    zero, first, nothing, twice = (
        graph.hold(0.0), graph.hold([0], np.int64), graph.hold([]), graph.hold([1, 1, 2, 2]),
    )  # fmt: skip
    count = graph("Slice", graph("Shape", "wanted"), first, graph.hold([1], np.int64))

    def some(name: str) -> str:
        return graph("Slice", name, first, count, first)

    def grown(name: str) -> str:
        settings = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return graph("Resize", name, nothing, twice, **settings)

    def where_positive(name: str, gradient: str) -> str:
        return graph("Where", graph("Greater", some(name), zero), gradient, zero)

    gradient = graph("Sub", graph("Softmax", some("logits"), axis=1), "wanted")
    gradient = where_positive(hidden, graph("Gemm", gradient, dense[1], transB=1))
    gradient = graph("Gemm", gradient, dense[0], transB=1)
    gradient = graph("Reshape", gradient, graph.hold([-1, last, *side], np.int64))
    for place in (1, 0):
        largest = graph("Equal", some(convolved[place]), grown(some(pooled[place])))
        gradient = graph("Where", largest, grown(where_positive(pooled[place], gradient)), zero)
        if place == 0:
            gradient = graph("ReduceMean", gradient, axes=[0])
        gradient = graph("ConvTranspose", gradient, kernels[place], name="" if place else "gradient", **same)

    def value(name: str, *shape: str | int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes, network.name,
            [value("images", "N", 1, height, width), value("wanted", "M", classes)],
            [value("logits", "N", classes), value("gradient", 1, 1, height, width)],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
    )  # fmt: skip
    onnx.checker.check_model(model, full_check=True)
    return model

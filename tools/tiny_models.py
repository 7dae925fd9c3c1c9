"""Writes the few small networks that the library's tests need: crates/quaver/tests/models/*.onnx.

    pip install onnx==1.22.0 numpy
    python tools/tiny_models.py
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

HERE = Path(__file__).resolve().parent.parent / "crates/quaver/tests/models"
RNG = np.random.default_rng(7)


def weight(name, *shape):
    return numpy_helper.from_array((RNG.normal(size=shape) / 2).astype(np.float32), name)


def write(name, nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model, full_check=True)
    save(model, HERE / f"{name}.onnx")


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


def ids(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", *shape])


node = helper.make_node
HERE.mkdir(parents=True, exist_ok=True)

# Two real inputs, three classes: z = tanh(a A + b B) C.
write(
    "two_inputs",
    [
        node("MatMul", ["a", "A"], ["ha"]),
        node("MatMul", ["b", "B"], ["hb"]),
        node("Add", ["ha", "hb"], ["sum"]),
        node("Tanh", ["sum"], ["h"]),
        node("MatMul", ["h", "C"], ["logits"]),
    ],
    [floats("a", 2), floats("b", 3)],
    [floats("logits", 3)],
    [weight("A", 2, 5), weight("B", 3, 5), weight("C", 5, 3)],
)

# Token ids and a mask: the mean of the embeddings that the mask keeps, then a dense layer; two classes.
write(
    "tokens",
    [
        node("Gather", ["table", "ids"], ["embedded"], name="embedding"),
        node("Cast", ["mask"], ["real"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["real", "last"], ["column"]),
        node("Mul", ["embedded", "column"], ["kept"]),
        node("ReduceSum", ["kept", "axis"], ["total"], keepdims=0),
        node("ReduceSum", ["real", "axis"], ["count"], keepdims=1),
        node("Div", ["total", "count"], ["mean"]),
        node("Tanh", ["mean"], ["h"]),
        node("MatMul", ["h", "W"], ["logits"]),
    ],
    [ids("ids", 4), ids("mask", 4)],
    [floats("logits", 2)],
    [
        weight("table", 6, 3),
        weight("W", 3, 2),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ],
)

# Three answers of yes or no.
write(
    "multi_label",
    [
        node("MatMul", ["x", "A"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "B"], ["z"]),
        node("Sigmoid", ["z"], ["p"]),
    ],
    [floats("x", 4)],
    [floats("p", 3)],
    [weight("A", 4, 6), weight("B", 6, 3)],
)

# A regression with two outputs.
write(
    "regression",
    [
        node("MatMul", ["x", "A"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "B"], ["y"]),
    ],
    [floats("x", 4)],
    [floats("y", 2)],
    [weight("A", 4, 6), weight("B", 6, 2)],
)

# A softmax and what classes are mistaken for which: probabilities, but by no operator that says so.
confused = np.array([[0.75, 0.25, 0.0], [0.125, 0.75, 0.125], [0.0, 0.25, 0.75]], np.float32)
write(
    "confused",
    [
        node("MatMul", ["x", "A"], ["z"]),
        node("Softmax", ["z"], ["p"], axis=-1),
        node("MatMul", ["p", "confusion"], ["y"]),
    ],
    [floats("x", 4)],
    [floats("y", 3)],
    [weight("A", 4, 3), numpy_helper.from_array(confused, "confusion")],
)

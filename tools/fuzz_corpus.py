"""Writes the models that fuzzing starts from: every kind of node in a few hundred bytes each.

    pip install -r tools/requirements-fixtures.txt
    python tools/fuzz_corpus.py fuzz/corpus/onnx
"""

import pathlib
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def info(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def write(folder, name, shape, nodes, opset=17, domains=(), functions=(), **initializers):
    tensors = [numpy_helper.from_array(np.asarray(value), key) for key, value in initializers.items()]
    graph = helper.make_graph(nodes, "", [info("x", *shape)], [info("y")], tensors)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 3) for d in domains)]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions))
    model.producer_name = ""
    (pathlib.Path(folder) / f"{name}.onnx").write_bytes(model.SerializeToString())


def w(*shape):
    n = int(np.prod(shape))
    return np.sin(np.arange(1, n + 1) * 0.7).astype(np.float32).reshape(shape)


def ints(*values):
    return np.array(values, np.int64)


def main():
    folder = sys.argv[1]
    node = helper.make_node
    write(folder, "mlp", (1, 3), [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Relu", ["h"], ["r"]),
                                  node("MatMul", ["r", "v"], ["z"]), node("Softmax", ["z"], ["y"])],
          w=w(4, 3), b=w(4), v=w(4, 2))
    write(folder, "cnn", (1, 2, 6, 6), [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", ["c", "g", "b", "m", "s"], ["n"]),
        node("MaxPool", ["n"], ["p"], kernel_shape=[2, 2], ceil_mode=1), node("GlobalAveragePool", ["p"], ["a"]),
        node("Flatten", ["a"], ["f"]), node("Gemm", ["f", "v"], ["y"])],
        w=w(3, 2, 3, 3), b=w(3), g=1 + w(3), m=w(3), s=2 + w(3), v=w(3, 4))
    write(folder, "lstm", ("n", 3, 2), [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("LSTM", ["t", "w", "r", "b"], ["", "h"], hidden_size=2),
        node("Squeeze", ["h", "zero"], ["s"]), node("MatMul", ["s", "v"], ["y"])],
        w=w(1, 8, 2), r=w(1, 8, 2), b=w(1, 16), zero=ints(0), v=w(2, 3))
    write(folder, "tied", (1, 3), [
        node("Transpose", ["w"], ["u"]), node("Slice", ["p", "from", "to"], ["q"]), node("MatMul", ["x", "u"], ["h"]),
        node("Tanh", ["h"], ["t"]), node("MatMul", ["t", "w"], ["k"]), node("Concat", ["k", "q"], ["c"], axis=1),
        node("Add", ["c", "b"], ["y"])],
        **{"w": w(4, 3), "p": w(3, 2), "from": ints(1), "to": ints(2), "b": w(5)})
    write(folder, "attention", (1, 3, 4), [
        node("LayerNormalization", ["x", "g", "b"], ["n"]), node("MatMul", ["n", "w"], ["m"]),
        node("Split", ["m"], ["q", "k", "v"], axis=2), node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["s"]), node("Softmax", ["s"], ["a"]), node("MatMul", ["a", "v"], ["o"]),
        node("ReduceMean", ["o"], ["y"], axes=[1], keepdims=0)], g=1 + w(4), b=w(4), w=w(4, 12))
    write(folder, "shapes", (1, 2, 3), [
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["d"]), node("Concat", ["d", "rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["r"]), node("Expand", ["e", "to"], ["f"]), node("Where", ["c", "r", "f"], ["z"]),
        node("Pad", ["z", "pads"], ["p"], mode="reflect"), node("TopK", ["p", "k"], ["y", "at"])],
        zero=ints(0), rest=ints(-1), e=w(1), c=np.array([[True, False] * 3]), pads=ints(0, 1, 0, 1), k=ints(3))
    write(folder, "linear", (1, 3), [
        node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.1, 0.2, 0.3], scale=[1.0, 2.0, 0.5]),
        node("LinearClassifier", ["s"], ["label", "y"], domain="ai.onnx.ml", coefficients=[0.1] * 6,
             intercepts=[0.1, 0.2], classlabels_ints=[0, 1], post_transform="SOFTMAX")], domains=["ai.onnx.ml"])
    function = helper.make_function("f", "twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])],
                                    [helper.make_opsetid("", 17)])
    branch = helper.make_graph([node("Neg", ["x"], ["i"])], "", [], [info("i")])
    write(folder, "function", (1, 3), [
        node("twice", ["x"], ["t"], domain="f"), node("If", ["c"], ["u"], then_branch=branch, else_branch=branch),
        node("Einsum", ["t", "u"], ["y"], equation="bi,bi->bi")], domains=["f"], functions=[function], c=np.array(True))


main()

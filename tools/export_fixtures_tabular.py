"""Exports classifiers of scikit-learn, and graphs as Keras exporters write them, with what NumPy and PyTorch say.

    pip install -r tools/requirements-fixtures.txt
    python tools/export_fixtures_tabular.py crates/quaver-engine/tests/fixtures [NAME ...]

The files are as those of export_fixtures.py, which says what is in them; "expected/..." is for the value that is
differentiated: the logits of a softmax, or the one before a sigmoid. scikit-learn's models are trained here and keep
their weights. The Keras graphs are written by hand in the manner of tf2onnx (channels last outside, kernels
height x width x in x out, cells with the gates in Keras's order); their references share nothing with ONNX.
"""

import gzip
import pathlib
import sys

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from export_fixtures import SAMPLE, distribution, draw, strip

F = torch.nn.functional


def write(folder, name, proto, x, drawn, logits, params=None):
    """`logits` is a function of the sample and of the parameters by name; both are differentiated by PyTorch."""
    x = torch.from_numpy(np.asarray(x, np.float64)).requires_grad_()
    params = {key: torch.from_numpy(np.asarray(value, np.float64)).requires_grad_() for key, value in drawn.items()}
    z = logits(x, params).reshape(-1)
    names = [key for key in params if key.rsplit(".", 1)[-1] not in ("mean", "variance", "untrained")]
    rows = [torch.autograd.grad(one, [x, *(params[key] for key in names)], retain_graph=True) for one in z]

    def gram(at):
        jacobian = torch.stack([row[at].flatten() for row in rows])
        return jacobian @ jacobian.T

    extra = {"x": x.detach(), "logits": z.detach(), "gram": gram(0)}
    grams = {f"param/{key}": gram(1 + at) for at, key in enumerate(names)}
    extra |= grams | {"params": sum(grams.values(), torch.zeros(len(z), len(z), dtype=torch.float64))}
    for key, value in extra.items():
        proto.graph.initializer.append(numpy_helper.from_array(value.numpy(), f"expected/{key}"))
    path = pathlib.Path(folder) / f"{name}.onnx.gz"
    path.write_bytes(gzip.compress(proto.SerializeToString(), 9, mtime=0))
    print(f"{path.name}: {path.stat().st_size} bytes, parameters {names}, logits {z[:3].tolist()}", flush=True)


# scikit-learn


def blobs(n_features, n_classes, seed):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_classes, n_features))
    y = np.arange(120) % n_classes
    return centres[y] + rng.normal(size=(120, n_features)), y


def converted(model, n_features, single=False):
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    options = {id(model): {"zipmap": False}}
    kind = FloatTensorType if single else DoubleTensorType
    proto = to_onnx(model, initial_types=[("x", kind([None, n_features]))], options=options, target_opset=17)
    del proto.metadata_props[:]
    proto.producer_version = proto.doc_string = proto.graph.name = ""
    return proto


def fixed(proto):
    """The file's own floating-point initializers: weights that are trained here are not drawn again."""
    return {t.name: numpy_helper.to_array(t).astype(np.float64) for t in proto.graph.initializer}


def mlp(folder, name, n_classes, activation):
    from sklearn.neural_network import MLPClassifier

    x, y = blobs(6, n_classes, 1)
    model = MLPClassifier((7, 5), activation=activation, max_iter=80, random_state=0).fit(x, y)
    proto = converted(model, 6)
    weights = {key: value for key, value in fixed(proto).items() if key.startswith(("coefficient", "intercepts"))}
    act = {"relu": torch.relu, "tanh": torch.tanh, "logistic": torch.sigmoid}[activation]

    def logits(x, p):
        for layer in range(3):
            suffix = str(layer) if layer else ""
            x = x @ p[f"coefficient{suffix}"] + p[f"intercepts{suffix}"]
            x = act(x) if layer < 2 else x
        return x

    write(folder, name, proto, x[:1], weights, logits)


def linear(folder, name, n_classes, steps):
    """A pipeline of scalers and a logistic regression, whose coefficients are attributes: single precision."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    x, y = blobs(5, n_classes, 2)
    model = make_pipeline(*steps(), LogisticRegression(max_iter=400)).fit(x, y)
    proto = converted(model, 5, single=True)
    node = next(n for n in proto.graph.node if n.op_type == "LinearClassifier")
    attribute = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    rows = len(attribute["intercepts"])
    prefix = node.output[-1]
    weights = {f"{prefix}.coefficients": np.array(attribute["coefficients"]).reshape(rows, -1),
               f"{prefix}.intercepts": np.array(attribute["intercepts"])}
    if n_classes == 2:
        weights = {key: value[-1:] for key, value in weights.items()}
    constants = {key: [value] for key, value in fixed(proto).items()}
    scalers = [{a.name: np.array(helper.get_attribute_value(a)) for a in n.attribute if a.name in ("offset", "scale")}
               for n in proto.graph.node if n.op_type == "Scaler"]

    def logits(x, p):
        for step in scalers:
            x = (x - torch.from_numpy(step["offset"])) * torch.from_numpy(step["scale"])
        for factor, shift in zip(constants["Mu_Mulcst"], constants["Ad_Addcst"]) if steps is normalised else ():
            x = x * torch.from_numpy(factor) + torch.from_numpy(shift)
        if steps is normalised:
            x = x / x.norm(dim=1, keepdim=True)
        z = x @ p[f"{prefix}.coefficients"].T + p[f"{prefix}.intercepts"]
        return torch.cat([torch.zeros_like(z), z], 1) if n_classes == 2 else z

    write(folder, name, proto, x[:1], weights, logits)


# Keras


class Graph:
    """Nodes and parameters in the order in which they are added."""

    def __init__(self, shape):
        self.nodes, self.tensors, self.shape = [], [], shape

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind}_{len(self.nodes)}:{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def ints(self, *values):
        name = f"const_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def param(self, name, *shape):
        self.tensors.append(helper.make_tensor(name, TensorProto.DOUBLE, shape, np.zeros(int(np.prod(shape)))))
        return name

    def model(self, output):
        info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)
        graph = helper.make_graph(self.nodes, "", [info("x", ["batch", *self.shape])], [info(output, None)], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])


def finish(folder, name, graph, output, logits):
    proto = graph.model(output)
    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.DOUBLE:
            del tensor.double_data[:]
    drawn = strip(proto, {t.name for t in graph.tensors if t.data_type == TensorProto.DOUBLE})
    write(folder, name, proto, draw(SAMPLE, (1, *graph.shape), 1.0, 0.0), drawn, logits)


def keras_cnn(folder, name):
    """Conv2D, BatchNormalization, DepthwiseConv2D, PReLU with shared axes, SeparableConv2D, pooling, Dense."""
    g = Graph((9, 11, 3))
    last = lambda x: g.op("Transpose", x, perm=[0, 2, 3, 1])
    first = lambda x: g.op("Transpose", x, perm=[0, 3, 1, 2])
    kernel = lambda w: g.op("Transpose", w, perm=[3, 2, 0, 1])
    y = g.op("Conv", first("x"), kernel(g.param("conv/kernel", 3, 3, 3, 8)), auto_pad="SAME_UPPER", strides=[2, 2])
    y = g.op("Add", last(y), g.param("conv/bias", 8))
    y = g.op("Mul", y, g.param("norm/gamma", 8))
    y = g.op("Add", y, g.param("norm/beta", 8))
    y = g.op("Relu", y)
    depthwise = g.op("Reshape", g.op("Transpose", g.param("depthwise/kernel", 3, 3, 8, 1), perm=[2, 3, 0, 1]), g.ints(8, 1, 3, 3))
    y = last(g.op("Conv", first(y), depthwise, group=8, pads=[1, 1, 1, 1]))
    y = g.op("PRelu", y, g.param("prelu/alpha", 1, 1, 8))
    y = last(g.op("Conv", first(y), kernel(g.param("pointwise/kernel", 1, 1, 8, 6))))
    y = g.op("Add", y, g.param("pointwise/bias", 6))
    y = last(g.op("MaxPool", first(g.op("Sigmoid", y)), kernel_shape=[2, 2], strides=[2, 2]))
    y = g.op("Reshape", y, g.ints(-1, 2 * 3 * 6))
    y = g.op("Add", g.op("MatMul", y, g.param("dense/kernel", 36, 5)), g.param("dense/bias", 5))
    y = g.op("Softmax", y, axis=-1)

    def logits(x, p):
        nchw = lambda x: x.permute(0, 3, 1, 2)
        nhwc = lambda x: x.permute(0, 2, 3, 1)
        conv = lambda x, w, **o: nhwc(F.conv2d(nchw(x), w.permute(3, 2, 0, 1), **o))
        # SAME for a stride of 2: 9 rows need 2 more (one above), 11 columns need 2 more (one before).
        y = conv(F.pad(x, (0, 0, 1, 1, 1, 1)), p["conv/kernel"], stride=2) + p["conv/bias"]
        y = torch.relu(y * p["norm/gamma"] + p["norm/beta"])
        y = nhwc(F.conv2d(nchw(y), p["depthwise/kernel"].permute(2, 3, 0, 1), groups=8, padding=1))
        y = torch.where(y > 0, y, y * p["prelu/alpha"])
        y = torch.einsum("nhwc,cd->nhwd", y, p["pointwise/kernel"][0, 0]) + p["pointwise/bias"]
        y = nhwc(F.max_pool2d(nchw(torch.sigmoid(y)), 2))
        return y.reshape(1, -1) @ p["dense/kernel"] + p["dense/bias"]

    finish(folder, name, g, y, logits)


def keras_lstm(folder, name):
    """Conv1D by way of two dimensions, then an LSTM whose gates Keras keeps as i, f, c, o and ONNX wants as i, o, f, c."""
    g = Graph((8, 4))
    y = g.op("Unsqueeze", g.op("Transpose", "x", perm=[0, 2, 1]), g.ints(2))
    kernel = g.op("Unsqueeze", g.op("Transpose", g.param("conv/kernel", 3, 4, 6), perm=[2, 1, 0]), g.ints(2))
    y = g.op("Squeeze", g.op("Conv", y, kernel), g.ints(2))
    y = g.op("Relu", g.op("Add", g.op("Transpose", y, perm=[0, 2, 1]), g.param("conv/bias", 6)))
    hidden = 7

    def gates(x, axis):
        i, f, c, o = g.op("Split", x, g.ints(*[hidden] * 4), outputs=4, axis=axis)
        return g.op("Concat", i, o, f, c, axis=axis)

    w = g.op("Unsqueeze", g.op("Transpose", gates(g.param("lstm/kernel", 6, 4 * hidden), 1), perm=[1, 0]), g.ints(0))
    r = g.op("Unsqueeze", g.op("Transpose", gates(g.param("lstm/recurrent", hidden, 4 * hidden), 1), perm=[1, 0]), g.ints(0))
    b = gates(g.param("lstm/bias", 4 * hidden), 0)
    none = g.op("ConstantOfShape", g.ints(4 * hidden), value=helper.make_tensor("", TensorProto.DOUBLE, [1], [0.0]))
    b = g.op("Unsqueeze", g.op("Concat", b, none, axis=0), g.ints(0))
    state = g.param("lstm/state.untrained", 1, 1, hidden)
    _, h, _ = g.op("LSTM", g.op("Transpose", y, perm=[1, 0, 2]), w, r, b, "", state, state, outputs=3, hidden_size=hidden)
    y = g.op("Squeeze", h, g.ints(0))
    y = g.op("Sigmoid", g.op("Add", g.op("MatMul", y, g.param("dense/kernel", hidden, 1)), g.param("dense/bias", 1)))

    def logits(x, p):
        w, kernel = x[0].unfold(0, 3, 1), p["conv/kernel"]
        y = torch.relu(torch.einsum("tck,kco->to", w, kernel) + p["conv/bias"])
        h = c = p["lstm/state.untrained"][0, 0]
        for t in range(y.shape[0]):
            z = y[t] @ p["lstm/kernel"] + h @ p["lstm/recurrent"] + p["lstm/bias"]
            i, f, new, o = z.split(hidden)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(new)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h @ p["dense/kernel"] + p["dense/bias"]

    finish(folder, name, g, y, logits)


def standard():
    from sklearn.preprocessing import StandardScaler

    return [StandardScaler()]


def normalised():
    from sklearn.preprocessing import MinMaxScaler, Normalizer

    return [MinMaxScaler(), Normalizer()]


FIXTURES = {
    "sklearn_mlp_relu": lambda folder, name: mlp(folder, name, 4, "relu"),
    "sklearn_mlp_tanh": lambda folder, name: mlp(folder, name, 3, "tanh"),
    "sklearn_mlp_binary": lambda folder, name: mlp(folder, name, 2, "logistic"),
    "sklearn_logistic": lambda folder, name: linear(folder, name, 3, standard),
    "sklearn_logistic_binary": lambda folder, name: linear(folder, name, 2, standard),
    "sklearn_logistic_normalised": lambda folder, name: linear(folder, name, 4, normalised),
    "keras_cnn": keras_cnn,
    "keras_lstm": keras_lstm,
}


def main():
    folder, *names = sys.argv[1:]
    for name in names or FIXTURES:
        FIXTURES[name](folder, name)


main()

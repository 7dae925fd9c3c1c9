"""Exports small versions of the classifiers people use, with what PyTorch says about them in double precision.

    pip install -r tools/requirements-fixtures.txt
    python tools/export_fixtures.py crates/quaver-engine/tests/fixtures [NAME | EXPORTER ...]

A fixture is a gzipped ONNX model whose trainable initializers hold no data. Both sides draw them alike: the i-th
initializer without data (from 0) is, element by element, shift + scale * (2u - 1) with its own scale and shift
(kept in the external_data entries of those names) and u = (SplitMix64 >> 11) * 2^-53, the generator started at
(i + 1) * 0xD1B54A32D192ED03 modulo 2^64. Where the initializer is of half precision, both round what they drew to single
precision and then to its type; the derivatives are those in double precision at these weights. Extra initializers hold what is to be reproduced for one sample:
"expected/x", "expected/logits" (K) and "expected/gram" (K x K, J Jt), J being the derivative of the logits by the
input, or by the value that the graph's name says; "expected/params" is the same for all trainable parameters together,
"expected/param/NAME" for each of them that the file has under its own name. Without "expected/x" the sample is drawn too, with i = 9999, scale 1
and shift 0.
"""

import contextlib
import copy
import gzip
import io
import math
import pathlib
import sys
import warnings

import numpy as np
import onnx
import torch
import torchvision.models as tv
from onnx import numpy_helper
from torch import nn
from torchvision.models import convnext, densenet, efficientnet, maxvit, regnet, resnet, swin_transformer

warnings.filterwarnings("ignore")
K = 5
SAMPLE = 9999


def draw(index, shape, scale, shift):
    n = int(np.prod(shape)) if len(shape) else 1
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        state = np.uint64(index + 1) * np.uint64(0xD1B54A32D192ED03)
        z = state + np.arange(1, n + 1, dtype=np.uint64) * golden
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (shift + scale * (2.0 * u - 1.0)).reshape(shape)


def distribution(name, shape):
    """Scale and shift that keep signals of order one, variances and gains positive."""
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        return 0.5, 1.0
    if len(shape) <= 1:
        return (0.25, 1.0) if "weight" in last or "scale" in last else (0.2, 0.0)
    return math.sqrt(3.0 / max(1, math.prod(shape[1:]))), 0.0


class Tokens(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model(input_ids=ids).logits


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.cell = kind(6, 8, batch_first=True, **options)
        width = 16 if options.get("bidirectional") else 8
        self.head = nn.Linear(width, K)

    def forward(self, x):
        y, _ = self.cell(x)
        return self.head(y[:, -1] + y.mean(1))


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu", norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, K)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


class Upsampling(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1)
        self.up = nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1)
        self.group = nn.GroupNorm(2, 6)
        self.instance = nn.InstanceNorm2d(6, affine=True)
        self.local = nn.LocalResponseNorm(3)
        self.act = nn.PReLU(6)
        self.head = nn.Linear(6, K)

    def forward(self, x):
        y = self.act(self.group(self.up(self.down(x))))
        y = nn.functional.interpolate(y, scale_factor=0.5, mode="bilinear", align_corners=False)
        y = nn.functional.interpolate(self.local(y), size=(12, 12), mode="nearest")
        y = nn.functional.pixel_unshuffle(nn.functional.pixel_shuffle(y.repeat(1, 2, 1, 1)[:, :8], 2), 2)[:, :6]
        y = torch.where(y > 0, y, 0.3 * torch.tanh(y))
        y = nn.functional.adaptive_avg_pool2d(self.instance(y) + y * y, 1).flatten(1)
        return self.head(torch.log1p(y.abs()))


class Sequence1d(nn.Module):
    """Text and sensor classifiers: dilated, strided and grouped convolutions over time."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(4, 8, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm1d(8)
        self.dilated = nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.pool = nn.MaxPool1d(3, 2, 1)
        self.head = nn.Linear(8, K)

    def forward(self, x):
        y = torch.relu(self.norm(self.stem(x)))
        y = self.pool(y + torch.sigmoid(self.dilated(y)))
        return self.head(y.mean(-1))


class Volume3d(nn.Module):
    """Video and medical classifiers."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(2, 6, 3, stride=(1, 2, 2), padding=1)
        self.norm = nn.BatchNorm3d(6)
        self.depthwise = nn.Conv3d(6, 6, (3, 1, 3), padding=(1, 0, 1), groups=6)
        self.pool = nn.MaxPool3d(2)
        self.head = nn.Linear(6, K)

    def forward(self, x):
        y = nn.functional.silu(self.norm(self.stem(x)))
        y = nn.functional.avg_pool3d(self.pool(self.depthwise(y)), (1, 2, 2))
        return self.head(y.flatten(2).mean(-1))


class Rearranged(nn.Module):
    """One parameter used twice, transposed, packed, normalised, repeated and cut: what no single layer sees whole."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(6, 8))
        self.packed = nn.Parameter(torch.zeros(24, 8))
        self.weight_v = nn.Parameter(torch.zeros(8, 8))
        self.weight_g = nn.Parameter(torch.zeros(8, 1))
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.kernel = nn.Parameter(torch.zeros(8, 3))
        self.gain = nn.Parameter(torch.zeros(2, 4))
        self.head = nn.Linear(8, K)

    def forward(self, x):
        y = torch.tanh(x @ self.table)
        y = torch.tanh(y @ self.table.t()) @ self.table
        y = torch.cat([self.token.expand(y.shape[0], -1, -1), y], 1)
        q, k, v = (nn.functional.linear(y, part) for part in self.packed.chunk(3))
        y = y + torch.softmax(q @ k.transpose(1, 2) / 8**0.5, -1) @ v
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=1, keepdim=True)
        y = torch.tanh(nn.functional.linear(y, weight)).transpose(1, 2)
        y = nn.functional.conv1d(y, torch.cat([self.kernel, self.kernel.flip(1)], 1).unsqueeze(1), padding=3, groups=8)
        y = y.transpose(1, 2) * self.gain.reshape(-1)
        return self.head(y.sum(1)) + self.gain.exp().sum(0)[:1]


def with_classifier(model, pool, n, hidden=16):
    model.avgpool = nn.AdaptiveAvgPool2d(pool)
    model.classifier = nn.Sequential(nn.Linear(n, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, K))
    return model


def efficientnet_v2():
    config = [
        efficientnet.FusedMBConvConfig(1, 3, 1, 8, 8, 1),
        efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 1),
        efficientnet.MBConvConfig(4, 3, 2, 16, 24, 2),
    ]
    return efficientnet.EfficientNet(config, 0.0, num_classes=K, last_channel=32)


class Narrow(nn.Module):
    """A network that computes in half precision, of inputs and to outputs that do not."""

    def __init__(self, model, dtype):
        super().__init__()
        self.model = model
        self.dtype = dtype

    def forward(self, x):
        return self.model(x.to(self.dtype)).double()


def transformer(kind):
    import transformers as t

    common = dict(vocab_size=50, max_position_embeddings=16, num_labels=K)
    if kind == "bert":
        config = t.BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, **common)
        return Tokens(t.BertForSequenceClassification(config))
    config = t.DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, **common)
    return Tokens(t.DistilBertForSequenceClassification(config))


IDS = torch.tensor([[2, 7, 30, 11, 49, 3, 7]])
MODELS = {
    "alexnet": (lambda: with_classifier(tv.alexnet(), 1, 256), (3, 63, 63)),
    "vgg11_bn": (lambda: with_classifier(tv.VGG(tv.vgg.make_layers([8, "M", 16, "M", 32, "M"], True), K), 2, 32 * 4), (3, 32, 32)),
    "squeezenet": (lambda: tv.squeezenet1_1(num_classes=K), (3, 48, 48)),
    "resnet": (lambda: resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=K), (3, 32, 32)),
    "resnext": (lambda: resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], num_classes=K, groups=4, width_per_group=8), (3, 32, 32)),
    "densenet": (lambda: densenet.DenseNet(8, (2, 2, 2, 2), 16, num_classes=K), (3, 48, 48)),
    "inception_v3": (lambda: tv.inception_v3(num_classes=K, aux_logits=False, init_weights=False), (3, 75, 75)),
    "googlenet": (lambda: tv.googlenet(num_classes=K, aux_logits=False, init_weights=False), (3, 48, 48)),
    "mobilenet_v2": (lambda: tv.mobilenet_v2(num_classes=K, width_mult=0.25), (3, 48, 48)),
    "mobilenet_v3": (lambda: tv.mobilenet_v3_small(num_classes=K, width_mult=0.5), (3, 48, 48)),
    "shufflenet": (lambda: tv.shufflenet_v2_x0_5(num_classes=K), (3, 48, 48)),
    "mnasnet": (lambda: tv.MNASNet(0.25, num_classes=K), (3, 48, 48)),
    "efficientnet": (lambda: tv.efficientnet_b0(num_classes=K), (3, 32, 32)),
    "efficientnet_v2": (efficientnet_v2, (3, 32, 32)),
    "regnet_y": (lambda: regnet.RegNet(regnet.BlockParams([1, 1], [16, 32], [8, 8], [1.0, 1.0], [2, 2], 0.25), num_classes=K), (3, 32, 32)),
    "convnext": (lambda: convnext.ConvNeXt([convnext.CNBlockConfig(8, 16, 1), convnext.CNBlockConfig(16, None, 1)], num_classes=K), (3, 32, 32)),
    "vit": (lambda: tv.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=K), (3, 32, 32)),
    "swin": (lambda: swin_transformer.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [4, 4], num_classes=K), (3, 32, 32)),
    "swin_v2": (
        lambda: swin_transformer.SwinTransformer(
            [4, 4], 8, [2, 2], [2, 2], [4, 4], num_classes=K,
            block=swin_transformer.SwinTransformerBlockV2, downsample_layer=swin_transformer.PatchMergingV2),
        (3, 32, 32)),
    "maxvit": (lambda: maxvit.MaxVit((32, 32), 8, 2, [8, 16], [1, 1], 4, 0.0, num_classes=K), (3, 32, 32)),
    "bert": (lambda: transformer("bert"), IDS),
    "distilbert": (lambda: transformer("distilbert"), IDS),
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), (7, 6)),
    "gru": (lambda: Recurrent(nn.GRU), (7, 6)),
    "rnn": (lambda: Recurrent(nn.RNN), (7, 6)),
    "encoder": (Attending, (5, 8)),
    "upsampling": (Upsampling, (3, 24, 24)),
    "sequence1d": (Sequence1d, (4, 21)),
    "volume3d": (Volume3d, (2, 6, 10, 10)),
    "rearranged": (Rearranged, (4, 6)),
}
# As most people call it, the exporter folds constants: small weights come out transposed, cut and joined, nameless.
# "optimized" is the newer exporter with its optimizer and a dynamic batch, "cast" has weights that are widened where
# they are used, "half" and "brain" compute in fp16 and bf16 between a cast of the input and one of the logits.
EXPORTERS = [
    ("ts", 11), ("ts", 17), ("folded", 17), ("dynamo", 18), ("dynamo", 23), ("optimized", 18), ("optimized", 23),
    ("cast", 17), ("half", 17), ("half", 18), ("brain", 18)]
ONLY = {
    "folded": {"distilbert", "lstm", "gru", "rnn", "encoder", "squeezenet"},
    "optimized23": {"distilbert", "vit"},
    "optimized": {"resnet", "mobilenet_v3", "convnext", "vit", "swin", "swin_v2", "distilbert", "lstm"},
    "cast": {"resnet", "distilbert"},
    "half": {"resnet"},
    "brain": {"resnext"},
}
HALF = {"cast": torch.float16, "half": torch.float16, "brain": torch.bfloat16}


def prepare(name):
    build, sample = MODELS[name]
    torch.manual_seed(0)
    model = build().double().eval()
    x = sample if torch.is_tensor(sample) else torch.from_numpy(draw(SAMPLE, (1, *sample), 1.0, 0.0))
    trainable = dict(model.named_parameters())
    trainable.update({n: b for n, b in model.named_buffers() if n.endswith(("running_mean", "running_var"))})
    # Parameters that start out equal would be written once, under one of their names.
    with torch.no_grad():
        for i, (key, value) in enumerate(trainable.items()):
            value.copy_(torch.from_numpy(draw(10000 + i, list(value.shape), *distribution(key, list(value.shape)))))
    return model, x, trainable


def export(model, x, exporter, opset):
    buffer = io.BytesIO()
    if exporter in ("half", "brain"):
        model = Narrow(copy.deepcopy(model).to(HALF[exporter]), HALF[exporter]).eval()
    modes = torch.onnx.TrainingMode
    names = dict(input_names=["x"], output_names=["logits"], opset_version=opset)
    if opset < 18:
        torch.onnx.export(
            model, (x,), buffer, dynamo=False, do_constant_folding=exporter == "folded",
            training=modes.EVAL if exporter == "folded" else modes.PRESERVE,
            dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}}, **names)
        proto = onnx.load_model_from_string(buffer.getvalue())
    else:
        if exporter == "optimized":
            # An axis of one is taken for a constant.
            x = torch.cat([x, x])
            names["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(model, (x,), dynamo=True, optimize=exporter == "optimized", verbose=False, **names)
        program.save(buffer)
        proto = onnx.load_model_from_string(buffer.getvalue())
    if exporter == "cast":
        widen(proto.graph, dict(model.named_parameters()))
    for tensor in proto.graph.initializer:
        tensor.name = tensor.name.removeprefix("model.") if isinstance(model, Narrow) else tensor.name
    for node in proto.graph.node if isinstance(model, Narrow) else []:
        node.input[:] = [name.removeprefix("model.") for name in node.input]
    return proto


def widen(graph, trainable):
    """Makes the trainable initializers half precision, each cast where it is used, as converters do."""
    casts = []
    for tensor in graph.initializer:
        if tensor.name in trainable:
            tensor.data_type = onnx.TensorProto.FLOAT16
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [tensor.name + "_wide"], to=onnx.TensorProto.DOUBLE))
    wide = {cast.input[0]: cast.output[0] for cast in casts}
    for node in graph.node:
        node.input[:] = [wide.get(name, name) for name in node.input]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def absorb(model, x, proto):
    """Where the exporter has put a BatchNorm into the convolution before it, makes the BatchNorm of the model add the
    bias that the convolution has in the file, and nothing else. Its scale is no parameter any more."""
    order, hooks = [], []
    for name, module in model.named_modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm)):
            hooks.append(module.register_forward_hook(lambda m, _i, _o, name=name: order.append((name, m))))
    model(x)
    for hook in hooks:
        hook.remove()
    values = {tensor.name: tensor for tensor in proto.graph.initializer}
    bias = {n.input[1]: n.input[2] for n in proto.graph.node if n.op_type == "Conv" and len(n.input) > 2}
    for (before, _), (name, norm) in zip(order, order[1:]):
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and f"{name}.running_mean" not in values:
            with torch.no_grad():
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0 - norm.eps)
                norm.weight.fill_(1.0).requires_grad_(False)
                norm.bias.copy_(torch.from_numpy(numpy_helper.to_array(values[bias[f"{before}.weight"]]).copy()))


def untable(model):
    """Where the exporter has looked up a table of positions once and for all, makes what it found the parameter."""
    for module in list(model.modules()):
        if hasattr(module, "relative_position_bias_table"):
            module.found = nn.Parameter(module.get_relative_position_bias().detach().clone())
            module.relative_position_bias_table.requires_grad_(False)
            module.get_relative_position_bias = lambda module=module: module.found


class Found(nn.Module):
    """A linear layer of what is always the same, without its product."""

    def __init__(self, product, bias):
        super().__init__()
        self.product = nn.Parameter(product)
        self.bias = bias

    def forward(self, _):
        return self.product + self.bias


def multiplied(model, proto, trainable):
    """Where the exporter has multiplied coordinates by weights once and for all, makes the product what is drawn."""
    for module in list(model.modules()):
        if hasattr(module, "cpb_mlp"):
            first = module.cpb_mlp[0]
            product = (module.relative_coords_table @ first.weight.T).detach()
            same = [
                tensor for tensor in proto.graph.initializer
                if list(tensor.dims) == list(product.shape)
                and np.allclose(numpy_helper.to_array(tensor), product.numpy(), rtol=1e-12)]
            if len(same) == 1 and same[0].name not in trainable:
                module.cpb_mlp[0] = Found(product, first.bias)
                trainable[same[0].name] = module.cpb_mlp[0].product


def reference(model, x):
    leaf = x
    if not x.is_floating_point():
        table = next(m for n, m in model.named_modules() if n.endswith("word_embeddings"))
        kept = []
        handle = table.register_forward_hook(lambda _m, _i, y: kept.append(y))
        logits = model(x)[0]
        leaf = kept[0]
        handle.remove()
    else:
        leaf = x.clone().requires_grad_()
        logits = model(leaf)[0]
    params = {n: p for n, p in model.named_parameters() if p.requires_grad}
    rows = [torch.autograd.grad(z, [leaf, *params.values()], retain_graph=True, allow_unused=True) for z in logits]

    def gram(at):
        if rows[0][at] is None:
            return None
        jacobian = torch.stack([row[at].flatten() for row in rows])
        return jacobian @ jacobian.T

    grams = {name: gram(1 + at) for at, name in enumerate(params)}
    return logits.detach(), gram(0), {name: g for name, g in grams.items() if g is not None}


def strip(proto, trainable):
    """Takes out what is drawn; returns the drawn values by parameter name."""
    del proto.metadata_props[:]
    del proto.graph.value_info[:]
    proto.doc_string = proto.producer_version = ""
    for holder in [*proto.graph.node, *(n for f in proto.functions for n in f.node)]:
        holder.doc_string = ""
        del holder.metadata_props[:]
    for f in proto.functions:
        f.doc_string = ""
        del f.value_info[:]
    drawn = {}
    for tensor in proto.graph.initializer:
        del tensor.metadata_props[:]
        if tensor.name not in trainable:
            continue
        scale, shift = distribution(tensor.name, list(tensor.dims))
        value = draw(len(drawn), list(tensor.dims), scale, shift)
        kinds = {onnx.TensorProto.FLOAT16: torch.float16, onnx.TensorProto.BFLOAT16: torch.bfloat16}
        if kind := kinds.get(tensor.data_type):
            value = torch.from_numpy(value).float().to(kind).double().numpy()
        drawn[tensor.name] = value
        tensor.raw_data = b""
        del tensor.double_data[:]
        del tensor.int32_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT
        for key, value in (("scale", scale), ("shift", shift)):
            tensor.external_data.add(key=key, value=repr(value))
    return drawn


def fixture(name, exporter, opset, folder):
    model, x, trainable = prepare(name)
    proto = export(model, x, exporter, opset)
    if exporter == "optimized":
        multiplied(model, proto, trainable)
    drawn = strip(proto, trainable)
    # What was folded into other constants keeps the value it was exported with.
    missing = sorted(set(trainable) - set(drawn))
    with torch.no_grad():
        for key, value in drawn.items():
            trainable[key].copy_(torch.from_numpy(value))
    if exporter == "optimized":
        absorb(model, x, proto)
        untable(model)
    logits, gram, params = reference(model, x)
    proto.graph.name = ""
    if not x.is_floating_point():
        nodes = [n for n in proto.graph.node if n.op_type == "Gather" and "word_embeddings.weight" in n.input[0]]
        proto.graph.name = nodes[0].output[0]
    extra = {"logits": logits, "gram": gram, "params": sum(params.values())}
    if any(name.endswith("logit_scale") for name in missing):
        # The file has exp(logit_scale), and the keys' bias of zero: other parameters than the model's.
        del extra["params"]
    extra |= {f"param/{key}": gram for key, gram in params.items() if key in drawn}
    if not x.is_floating_point():
        extra["x"] = x.double()
    for key, value in extra.items():
        proto.graph.initializer.append(numpy_helper.from_array(value.numpy().astype(np.float64), f"expected/{key}"))
    path = pathlib.Path(folder) / f"{name}_{exporter}{opset}.onnx.gz"
    path.write_bytes(gzip.compress(proto.SerializeToString(), 9, mtime=0))
    return f"{path.name}: {path.stat().st_size} bytes, {len(drawn)} drawn, not drawn: {missing[:3]}, logits {logits[:3].tolist()}"


def main():
    folder, *names = sys.argv[1:]
    wanted = [n for n in names if n in MODELS] or MODELS
    exporters = [e for e in EXPORTERS if e[0] in names] or EXPORTERS
    for name in wanted:
        for exporter, opset in exporters:
            if name not in ONLY.get(f"{exporter}{opset}", ONLY.get(exporter, MODELS)):
                continue
            try:
                # On failure the exporter prints the whole graph.
                with contextlib.redirect_stdout(io.StringIO()):
                    line = fixture(name, exporter, opset, folder)
                print(line, flush=True)
            except Exception as e:  # An exporter that cannot write a model is no reason to stop.
                print(f"{name}_{exporter}{opset}: {type(e).__name__}: {str(e).splitlines()[0][:150]}", flush=True)


if __name__ == "__main__":
    main()

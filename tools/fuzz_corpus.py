"""Writes what fuzzing starts from, a folder for each target: models with every kind of node, files of every format, each in
a few hundred bytes.

    pip install -r tools/requirements-fixtures.txt pillow pyarrow
    cargo build --release && PATH="$PWD/target/release:$PATH" python tools/fuzz_corpus.py fuzz/corpus
"""

import gzip
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from PIL import Image


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


def models(folder):
    folder.mkdir(parents=True, exist_ok=True)
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



def external(folder):
    """A model whose weights lie in the file `weights` of 256 bytes, which the target puts beside it."""
    weights = numpy_helper.from_array(np.zeros((3, 4), np.float32), "w")
    external_data_helper.set_external_data(weights, "weights", offset=16, length=48)
    weights.ClearField("raw_data")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "", [info("x", 1, 3)], [info("y")], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.producer_name = ""
    put(folder, "linear.onnx", model.SerializeToString())


def put(folder, name, contents):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(contents if isinstance(contents, bytes) else contents.encode())


def saved(save, *args, **kwargs):
    stream = io.BytesIO()
    save(stream, *args, **kwargs)
    return stream.getvalue()


def npy(array, **options):
    return saved(np.lib.format.write_array, array, **options)


def idx(kind, array):
    return bytes([0, 0, kind, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def arrays(root):
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3) / 4, np.array([1, 0])
    put(root / "npy", "floats.npy", npy(x))
    put(root / "npy", "version3.npy", npy(x.astype(np.float16), version=(3, 0)))
    put(root / "npy", "fortran.npy", npy(np.asfortranarray(x.astype(">f8"))))
    put(root / "npy", "bytes.npy.gz", gzip.compress(npy(x.astype(np.uint8)), mtime=0))
    put(root / "npz", "stored.npz", saved(np.savez, x=x, y=y))
    put(root / "npz", "deflated.npz", saved(np.savez_compressed, x=x, y=y))
    put(root / "idx", "bytes.idx", idx(8, np.arange(8, dtype=np.uint8).reshape(2, 2, 2)))
    put(root / "idx", "floats.idx.gz", gzip.compress(idx(13, np.arange(4, dtype=">f4").reshape(2, 2)), mtime=0))
    put(root / "cifar", "two.bin", b"".join(bytes([i]) + bytes(range(256)) * 12 for i in range(2)))
    put(root / "labels", "labels.npy", npy(y))
    put(root / "labels", "labels.idx", idx(8, np.array([1, 0], np.uint8)))


def tables(root):
    put(root / "csv", "labelled.csv", "a,b,label\n1,2,0\n\"3\",4e-1,1\n")
    put(root / "csv", "quoted.tsv", "a\tb\tclass\n1\t\"2\n\"\tcat\n\t-inf\tdog\n")
    put(root / "csv", "semicolons.csv.gz", gzip.compress(b"a;b\r\n1;2\r\n3;4\r\n", mtime=0))
    lists = pa.array([[[1.0, 2.0]], [[3.0, 4.0]]], pa.list_(pa.list_(pa.float32())))
    numbers = pa.table({"a": [1.0, 2.0], "label": [1, 0]})
    pictures = pa.array([{"bytes": image("PNG"), "path": "a.png"}, None])
    named = {"x": lists, "label": pa.array(["cat", "dog"]).dictionary_encode()}
    for name, table in [("numbers", numbers), ("lists", pa.table(named)), ("images", pa.table({"image": pictures}))]:
        for codec in ["none", "snappy", "zstd"]:
            options = {"compression": codec, "write_statistics": False, "store_schema": codec == "none"}
            put(root / "parquet", f"{name}_{codec}.parquet", saved(lambda out: pq.write_table(table, out, **options)))
        for codec in ["uncompressed", "lz4", "zstd"]:
            packed = saved(lambda out: feather.write_feather(table, out, compression=codec))
            put(root / "ipc", f"{name}_{codec}.feather", packed)
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        put(root / "ipc", f"{name}.arrow", stream.getvalue())


def image(form, mode="RGB", **options):
    pixels = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(5, 7, 3)
    return saved(Image.fromarray(pixels).convert(mode).save, form, **options)


def images(root):
    folder = root / "image"
    for mode in ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"]:
        put(folder, f"{mode.replace(';', '')}.png", image("PNG", mode))
    for mode in ["RGB", "L", "CMYK"]:
        put(folder, f"{mode}.jpg", image("JPEG", mode))
    put(folder, "progressive.jpg", image("JPEG", progressive=True))
    put(folder, "lossy.webp", image("WEBP"))
    put(folder, "lossless.webp", image("WEBP", "RGBA", lossless=True))
    put(folder, "RGB.bmp", image("BMP"))
    put(folder, "P.bmp", image("BMP", "P"))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        long = "a/" * 60 + "long"
        for key, extension, contents in [("a", "png", image("PNG")), ("a", "cls", b"1"), ("b", "npy", npy(np.ones(2))),
                                         (long, "json", b'{"label": 0}'), (long, "jpg", image("JPEG"))]:
            member = tarfile.TarInfo(f"{key}.{extension}")
            member.size = len(contents)
            tar.addfile(member, io.BytesIO(contents))
    put(root / "tar", "shard.tar", stream.getvalue())
    put(root / "tar", "shard.tar.gz", gzip.compress(stream.getvalue(), mtime=0))


def texts(root):
    put(root / "labels", "plain.txt", "1\n0\n")
    put(root / "labels", "keys.txt", "b/b.png 1\na/a.png 0\n")
    put(root / "classes", "lines.txt", "a\nb\n")
    put(root / "classes", "labelled.txt", "b 1\na 0\n")
    put(root / "classes", "wordnet.txt", "n01440764 a\nn01443537 b\n")
    put(root / "classes", "names.json", '["a", "b"]')
    put(root / "classes", "config.json", '{"id2label": {"0": "a", "1": "b"}}')
    put(root / "classes", "index.json", '{"0": ["a", "tench"], "1": ["b", "goldfish"]}')
    put(root / "transform", "own.toml", 'resize = [7, 5]\ncrop = 4\ninterpolation = "bicubic"\ncolours = "rgb"\n'
        'scale = 0.004\nmean = [0.5]\nstd = [0.2, 0.3, 0.4]\nlayout = "nhwc"\n')
    put(root / "transform", "own.json", '{"resize": 7, "crop": [4, 3], "scale": 1}')
    processor = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 8, "width": 8},
                 "resample": 2, "do_center_crop": True, "crop_size": {"height": 4, "width": 4}, "do_rescale": True,
                 "rescale_factor": 0.004, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    put(root / "transform", "vit.json", json.dumps(processor))
    processor |= {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 6}, "crop_pct": 0.875}
    put(root / "transform", "convnext.json", json.dumps(processor))


def written_by_quaver(root):
    """A store of two samples, and pages."""

    def quaver(*arguments):
        subprocess.run(["quaver", *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        x = np.linspace(-1, 1, 6 * 3, dtype=np.float32).reshape(6, 3)
        np.savez(work / "data.npz", x=x, y=np.array([0, 1, 0, 1, 0, 1]))
        run = [root / "onnx" / "mlp.onnx", work / "data.npz"]
        for form, options in [("f64", []), ("f32", ["--store-as", "f32"]), ("merged", ["--classes", "1"])]:
            store = work / form
            quaver("score", *run, "--wrt", "input,layers", "--limit", 2, "--store", store, *options)
            manifest = json.dumps(json.loads((store / "store.json").read_text())).encode()
            put(root / "store", form, manifest + b"\0" + (store / "part-000000.parquet").read_bytes())
        for task, page in [(["outliers", *run], "outliers"), (["layers", *run], "layers")]:
            quaver(*task, "--report", work / f"{page}.html")
            put(root / "page", f"{page}.json", (work / f"{page}.json").read_bytes())


def main():
    root = pathlib.Path(sys.argv[1])
    models(root / "onnx")
    external(root / "external")
    for write_some in [arrays, tables, images, texts, written_by_quaver]:
        write_some(root)


main()

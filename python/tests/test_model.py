"""Arrays in, arrays out, against differences, PyTorch's float64 results and each other."""

from __future__ import annotations

import pickle
import threading
import time

import numpy as np
import pytest

import quaver

MODELS = ["akamaster_resnet20_cifar10", "onepixel_lenet_cifar10", "mlperftiny_resnet8_cifar10"]


@pytest.mark.parametrize("name", MODELS)
def test_oracles(data, name):
    found = sorted((data / "oracle").glob(f"{name}*.npz"))
    if not found:
        pytest.skip(f"no oracle for {name}")
    oracle = np.load(found[0])
    m = quaver.load(data / "models" / f"{name}.onnx")
    x, y = oracle["x"], oracle["y"].astype(int)
    z = m.logits(x, precision="f64")
    # A stripped softmax gives logits up to a constant.
    centred = lambda z: z - z.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred(z), centred(oracle["logits"]), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(m.predict_proba(x, precision="f64"), oracle["probs"], rtol=1e-8, atol=1e-10)
    gram = m.grams(x, precision="f64")["input"]
    h = np.eye(z.shape[1]) - 1 / z.shape[1]
    expected = h @ oracle["gram_input"] @ h
    assert np.abs(gram - expected).max() < 1e-8 * np.abs(expected).max()
    jacobian = m.jacobian(x[:1], precision="f64").reshape(z.shape[1], -1)
    expected = oracle["jacobian_sample0"].reshape(z.shape[1], -1)
    # The oracle keeps it in single precision.
    assert np.abs(h @ jacobian - h @ expected).max() < 2**-23 * np.abs(expected).max()
    for label in ("true", "predicted"):
        table = m.score(x, y, label=label, rtol=1e-6, precision="f64", lambda_=1.0)
        lab = "true" if label == "true" else "pred"
        np.testing.assert_allclose(table["fisher_trace"], oracle[f"{lab}_fisher_trace"], rtol=1e-7)
        np.testing.assert_allclose(table["grad_norm"], oracle[f"{lab}_grad_norm"], rtol=1e-7)
        np.testing.assert_allclose(table["fi_lambda"], oracle[f"{lab}_fi_lambda1"], rtol=1e-7)


def test_jacobians_are_slopes(model, noise):
    jacobian = model.jacobian(noise, precision="f64")
    assert jacobian.shape == (4, 10, 1, 28, 28) and jacobian.dtype == np.float64
    direction = np.random.default_rng(1).standard_normal((1, 28, 28))
    t = 1e-6
    ends = [model.logits(noise + s * t * direction, precision="f64") for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * t)
    np.testing.assert_allclose((jacobian * direction).sum(axis=(2, 3, 4)), slope, rtol=1e-5, atol=1e-6)
    assert model.jacobian(noise).dtype == np.float32


def test_products_in_every_form(model, noise):
    jacobian = model.jacobian(noise, precision="f64")
    c = np.random.default_rng(2).standard_normal((4, 3, 10))
    full = model.vjp(noise, c, precision="f64")
    np.testing.assert_allclose(full, np.einsum("nvk,nk...->nv...", c, jacobian), atol=1e-9)
    np.testing.assert_array_equal(model.vjp(noise[1:2], c[1], precision="f64")[0], full[1])
    np.testing.assert_array_equal(model.vjp(noise[1:2], c[1, 0], precision="f64")[0], full[1, 0])
    for bad in (np.ones(9), np.ones((2, 3, 10)), np.ones((4, 3, 9)), np.ones((1, 1, 1, 10))):
        with pytest.raises(quaver.OptionError, match="cotangents of shape"):
            model.vjp(noise, bad)


def test_grams_of_blocks(model, noise):
    grams = model.grams(noise, wrt=["input", "layers", "params"], precision="f64")
    h = np.eye(10) - 0.1
    j = model.jacobian(noise, precision="f64").reshape(4, 10, -1)
    np.testing.assert_allclose(grams["input"], h @ j @ j.swapaxes(1, 2) @ h, atol=1e-9)
    layers = [gram for name, gram in grams.items() if name not in ("input", "params")]
    np.testing.assert_allclose(sum(layers), grams["params"], rtol=1e-9, atol=1e-9)
    assert list(grams)[0] == "input" and len(layers) >= 3


def test_influence_adds_up(model, glyphs):
    fi, direction, gradient = model.influence(glyphs.x, glyphs.y, precision="f64")
    np.testing.assert_allclose((direction * gradient).sum(axis=(1, 2, 3)), fi, rtol=1e-6)
    np.testing.assert_allclose(fi, model.score(glyphs.x, glyphs.y, precision="f64")["fi"], rtol=1e-7)


def test_whatever_form_the_samples_have(model, glyphs):
    expected = model.logits(glyphs.x, precision="f64")
    bytes_ = (glyphs.x * 255).round().astype(np.uint8)
    assert np.array_equal(model.logits(np.asfortranarray(glyphs.x), precision="f64"), expected)
    assert np.array_equal(model.logits(glyphs.x.tolist(), precision="f64"), expected)
    assert np.array_equal(model.logits(glyphs.x.reshape(-1, 784), precision="f64"), expected)
    assert np.array_equal(model.logits(glyphs.x[::2], precision="f64"), expected[::2])
    assert np.array_equal(model.logits(glyphs.x.astype(">f8"), precision="f64"), expected)
    assert np.array_equal(model.logits({"input": glyphs.x} if "input" in model.inputs else {next(iter(model.inputs)): glyphs.x}, precision="f64"), expected)
    assert np.array_equal(model.logits(bytes_), model.logits(bytes_.astype(np.float32)))
    assert np.array_equal(model.logits(bytes_), model.logits(bytes_.astype(np.int64)))


def test_results_do_not_depend_on_threads(model, glyphs):
    one, five = (model.score(glyphs.x, glyphs.y, threads=n) for n in (1, 5))
    assert all(np.array_equal(one[name], five[name], equal_nan=one.kinds[name] == "float") for name in one.columns if name != "error")
    assert np.array_equal(model.jacobian(glyphs.x, threads=1), model.jacobian(glyphs.x, threads=3))


def test_models_travel_in_pickles(model, glyphs, tmp_path):
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.logits(glyphs.x), model.logits(glyphs.x))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.__reduce__()[1][0])
    from_path = quaver.load(path)
    again = pickle.loads(pickle.dumps(from_path))
    path.unlink()
    assert np.array_equal(again.logits(glyphs.x), model.logits(glyphs.x))


def test_errors_say_what_the_command_line_says(model, glyphs, tmp_path):
    x, y = glyphs.x, glyphs.y
    cases = [
        (lambda: quaver.load(tmp_path / "none.onnx"), quaver.ModelError, "none.onnx"),
        (lambda: quaver.load(b"nonsense"), quaver.ModelError, "ONNX|model"),
        (lambda: quaver.load("m.onnx", head="soft"), quaver.OptionError, "give detect"),
        (lambda: model.score(x), quaver.DataError, "--label predicted"),
        (lambda: model.score(x, y + 10), quaver.DataError, "label"),
        (lambda: model.score(x, -1 - y), quaver.DataError, "sample 0: label -"),
        (lambda: model.score(x, y[1:]), quaver.DataError, "119 labels for 120 samples"),
        (lambda: model.score(x, y.astype(float)), quaver.DataError, "float64"),
        (lambda: model.score(x[0, 0], y[:1]), quaver.DataError, r"x\[None\]"),
        (lambda: model.score(x[:0], y[:0]), quaver.DataError, "no samples"),
        (lambda: model.score(x, y, wrt="inputs"), quaver.OptionError, "'inputs'"),
        (lambda: model.score(x, y, objective="best"), quaver.OptionError, "best"),
        (lambda: model.score(x, y, threads=0), quaver.OptionError, "threads"),
        (lambda: model.score(x, y, precision="f16"), quaver.OptionError, "f16"),
        (lambda: model.score(np.array(["a"]), [0]), quaver.DataError, "real numbers"),
        (lambda: model.score({"a": x}, y), quaver.DataError, "no array for input"),
        (lambda: model.jacobian(x, wrt="params"), quaver.OptionError, "not kept"),
        (lambda: model.jacobian(np.full_like(x[:1], np.inf)), quaver.ModelError, "sample 0"),
        (lambda: quaver.open(tmp_path / "none.npz"), quaver.DataError, "none.npz"),
    ]
    for call, kind, text in cases:
        with pytest.raises(kind, match=text) as caught:
            call()
        assert isinstance(caught.value, quaver.QuaverError) and "\n" not in str(caught.value)


def test_a_failed_sample_is_a_row(model, glyphs):
    x = glyphs.x.copy()
    x[5] = np.inf
    table = model.score(x, glyphs.y)
    assert len(table) == 120 and [i for i, e in enumerate(table["error"]) if e] == [5]
    assert np.isnan(table["fi"][5]) and np.isfinite(np.delete(table["fi"], 5)).all()
    with pytest.raises(quaver.QuaverError, match="sample 5"):
        model.score(x, glyphs.y, strict=True)


def test_other_threads_run_meanwhile(model):
    x = quaver.demo.glyphs(4000).x
    worker = threading.Thread(target=lambda: model.jacobian(x, threads=1, precision="f64"))
    worker.start()
    turns = 0
    while worker.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 3


def test_ctrl_c_ends_a_run(model):
    import _thread

    x = np.repeat(quaver.demo.glyphs(100).x, 400, axis=0)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.score(x, label="predicted", wrt=["input", "layers"], precision="f64", threads=1)
    timer.join()


def test_progress(model, glyphs, capsys):
    pytest.importorskip("tqdm")
    model.score(glyphs.x, glyphs.y, progress=True)
    assert "sample" in capsys.readouterr().err
    model.score(glyphs.x, glyphs.y)
    assert capsys.readouterr().err == ""


def test_files(model, glyphs, tmp_path):
    path = tmp_path / "glyphs.npz"
    np.savez(path, x=glyphs.x, y=glyphs.y)
    data = quaver.open(path, model=model)
    assert len(data) == 120 and data.shape == [1, 28, 28] and data[3][1] == glyphs.y[3]
    assert np.array_equal(data[3][0], glyphs.x[3])
    with pytest.raises(IndexError):
        data[120]
    assert np.array_equal(model.score(data)["fi"], model.score(glyphs.x, glyphs.y)["fi"])
    some = quaver.open(path, indices=[7, 3])
    assert list(model.score(some)["index"]) == [7, 3]


def test_facts(model, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(model.__reduce__()[1][0])
    facts = quaver.inspect(path)
    assert facts["classifier"] and facts["n_classes"] == 10 and facts["n_params"] == 23946
    assert sum(layer["n_params"] for layer in facts["layers"]) == 23946
    assert "Conv" in quaver.operators()
    blocks = model.blocks("layers")
    assert blocks["n_coordinates"].sum() == 23946


def test_a_result_that_no_memory_holds_is_an_error_and_not_the_end(model):
    x, cotangents = np.zeros((20_000, 784), dtype=np.float32), np.zeros((200_000, 10))
    with pytest.raises(MemoryError, match="fewer samples"):
        model.vjp(x, cotangents, progress=False)


def test_cotangents_of_each_sample(model, noise):
    x = np.concatenate([noise, noise])[:4]
    cotangents = np.random.default_rng(1).standard_normal((4, 10))
    own = model.vjp(x, cotangents[:, None], precision="f64")
    assert own.shape == (4, 1, 1, 28, 28)
    want = np.einsum("nk,nk...->n...", cotangents, model.jacobian(x, precision="f64"))
    assert np.allclose(own[:, 0], want, rtol=1e-9, atol=1e-12)

"""Models from live PyTorch modules and scikit-learn estimators, through ONNX and checked against the original."""

from __future__ import annotations

import inspect
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import Model
from ._optional import need
from .errors import ModelError, OptionError

# Single precision, accumulated in another order by another program: outputs agree to about this share of the largest.
TOLERANCE = 1e-3
OPSET = 17


def from_torch(
    module: Any,
    example_inputs: Any,
    *,
    output: str | None = None,
    head: str = "detect",
    opset: int = OPSET,
    tolerance: float = TOLERANCE,
) -> Model:
    """A PyTorch module as a model.

    `example_inputs` is a tensor (N, ...) or a tuple of several, with at least one sample; the first axis is that of
    samples. The module is exported in evaluation mode and left as it was. BatchNorm stays a layer of its own, and
    parameters keep their PyTorch names: `wrt="param:layer1.0.conv1.weight"`. Inputs are called `input`, or `input0`,
    `input1`, ...

    The result is compared with the module on the example; `ModelError` if they differ by more than `tolerance` times
    the largest output.
    """
    torch = need("torch", "torch", "from_torch")
    need("onnx", "torch", "from_torch")
    inputs = tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    if not inputs or not all(isinstance(tensor, torch.Tensor) and tensor.dim() >= 1 for tensor in inputs):
        raise OptionError("example_inputs: give a tensor with an axis of samples, or a tuple of them")
    names = ["input"] if len(inputs) == 1 else [f"input{at}" for at in range(len(inputs))]
    was_training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        # One sample tells an axis of samples from others of size one no worse than many, and is cheaper.
        file = _exported(torch, module, tuple(tensor[:1] for tensor in inputs), names, opset)
        with torch.no_grad():
            expected = module(*inputs)
    finally:
        for part, training in was_training.items():
            part.training = training
    model = Model(file, output=output, head=head)
    expected = _only(expected)
    if isinstance(expected, torch.Tensor) and output is None:
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in zip(names, inputs)}
        _compare(model, arrays if len(arrays) > 1 else arrays[names[0]], expected.detach().cpu().numpy(), tolerance)
    return model


def _only(result: Any) -> Any:
    """What a module gives; of a list or a mapping (as Hugging Face's models give) its one entry."""
    if isinstance(result, Mapping):
        result = list(result.values())
    return result[0] if isinstance(result, (tuple, list)) and len(result) == 1 else result


def _exported(torch: Any, module: Any, inputs: tuple[Any, ...], names: list[str], opset: int) -> bytes:
    buffer = io.BytesIO()
    axes = {name: {0: "batch"} for name in (*names, "output")}
    # The exporter by tracing is the one that can keep BatchNorm apart. It is the only one of a PyTorch that does not ask which.
    tracing = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    unsupported = getattr(torch.onnx, "OnnxExporterError", None) or torch.onnx.errors.OnnxExporterError
    with warnings.catch_warnings(), _tensors_apart(torch, module):
        # It says on every call that it is not new.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                inputs,
                buffer,
                **tracing,
                opset_version=opset,
                # Folding would merge BatchNorm into the convolution before it, and both would lose their names.
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
                input_names=names,
                output_names=["output"],
                dynamic_axes=axes,
            )
        except unsupported as error:
            raise ModelError(f"PyTorch cannot export the module: {str(error).splitlines()[0]}") from error
    return buffer.getvalue()


@contextmanager
def _tensors_apart(torch: Any, module: Any) -> Iterator[None]:
    """Keeps the exporter from making one of tensors with equal values, such as the scales of all BatchNorms of a network that
    was not trained: one parameter would have the name and the influence of several. It does so unless the module is
    being trained, and asks before and after it runs; while it runs it is not."""
    if isinstance(module, torch.jit.ScriptModule):
        yield
        return

    def says(training: bool) -> Any:
        def hook(part: Any, *_: Any) -> None:
            part.training = training

        return hook

    hooks = (module.register_forward_pre_hook(says(False)), module.register_forward_hook(says(True)))
    module.training = True
    try:
        yield
    finally:
        module.training = False
        for hook in hooks:
            hook.remove()


def from_sklearn(
    estimator: Any, *, n_features: int | None = None, example: ArrayLike | None = None, tolerance: float = TOLERANCE
) -> Model:
    """A fitted scikit-learn classifier (or a pipeline that ends in one) as a model, by skl2onnx.

    What has no derivative (trees, nearest neighbours) is refused by the reader, which names the operator. With `example`
    (N, n_features) the result is compared with `predict_proba`.

    >>> import quaver, sklearn.datasets, sklearn.linear_model
    >>> x, y = sklearn.datasets.load_iris(return_X_y=True)
    >>> m = quaver.from_sklearn(sklearn.linear_model.LogisticRegression(max_iter=1000).fit(x, y), example=x)
    >>> m.n_classes, m.input_shape
    (3, (4,))
    """
    skl2onnx = need("skl2onnx", "sklearn", "from_sklearn")
    types = need("skl2onnx.common.data_types", "sklearn", "from_sklearn")
    n = n_features if n_features is not None else getattr(estimator, "n_features_in_", None)
    if n is None:
        raise OptionError("from_sklearn: the estimator does not say how many features it takes; give n_features")
    if not hasattr(estimator, "predict_proba"):
        raise OptionError(f"from_sklearn: {type(estimator).__name__} has no predict_proba: no distribution over classes")
    onnx = skl2onnx.convert_sklearn(
        estimator,
        initial_types=[("input", types.FloatTensorType([None, int(n)]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    probabilities = onnx.graph.output[1].name
    model = Model(onnx.SerializeToString(), output=probabilities)
    if example is not None:
        x = np.asarray(example, dtype=np.float32)
        _near(model.predict_proba(x, progress=False), estimator.predict_proba(x), tolerance)
    return model


def _compare(model: Model, x: Any, expected: NDArray[Any], tolerance: float) -> None:
    """Compares with the original's output, which the head may have been stripped from."""
    if model.head == "Softmax":
        _near(model.predict_proba(x, progress=False), expected.reshape(len(expected), -1), tolerance)
    elif model.head == "LogSoftmax":
        _near(model.predict_proba(x, progress=False), np.exp(expected.reshape(len(expected), -1)), tolerance)
    elif model.head == "Sigmoid":
        _near(model.predict_proba(x, progress=False)[:, 1:], expected.reshape(len(expected), -1)[:, -1:], tolerance)
    elif model.head == "multi-label":
        # A Sigmoid at the end was stripped, or there was none; what is nearer says which.
        want = expected.reshape(len(expected), -1)
        both = [answers(x, progress=False) for answers in (model.logits, model.predict_proba)]
        _near(min(both, key=lambda got: float(np.abs(got - want).max(initial=0.0))), want, tolerance)
    else:
        got = model.logits(x, progress=False)
        want = expected.reshape(len(expected), -1)
        if got.shape == want.shape:
            _near(got, want, tolerance)


def _near(got: NDArray[Any], want: NDArray[Any], tolerance: float) -> None:
    scale = max(float(np.abs(want).max(initial=0.0)), 1e-6)
    worst = float(np.abs(got - want).max(initial=0.0)) / scale
    if not worst <= tolerance:
        raise ModelError(
            f"the exported network differs from the original by {worst:.2g} of its largest output on the example; "
            f"more than tolerance={tolerance:g}"
        )

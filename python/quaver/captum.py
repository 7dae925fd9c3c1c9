"""Influence as an attribution, behind Captum's interface."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ._native import Model
from ._optional import need
from .errors import OptionError

KINDS = ("share", "direction", "gradient")

P = ParamSpec("P")
R = TypeVar("R")


def _wrapped(method: Callable[Concatenate[Influence, P], R]) -> Callable[Concatenate[Influence, P], R]:
    """Captum's own methods have a plain one under `__wrapped__`, which NoiseTunnel calls."""

    @functools.wraps(method)
    def call(self: Influence, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self, *args, **kwargs)

    return call


class Influence:
    """Attributes FI of f = -log p_target to the coordinates of the input.

    `kind` is what a coordinate gets: "share" (default), its part of FI, the product of gradient and direction, which
    adds up to FI over the sample; "direction", its part in the perturbation of greatest influence; or "gradient".
    `captum.attr.NoiseTunnel` takes it as it takes Captum's own methods.

    >>> import torch, quaver
    >>> from quaver.captum import Influence
    >>> glyphs = quaver.demo.glyphs(2)
    >>> Influence(quaver.demo.model()).attribute(torch.tensor(glyphs.x), target=torch.tensor(glyphs.y)).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, model: Model, *, kind: str = "share", **options: Any) -> None:
        if kind not in KINDS:
            raise OptionError(f"kind '{kind}': give {', '.join(KINDS)}")
        self.model = model
        self.kind = kind
        self.options = options

    @_wrapped
    def attribute(self, inputs: Any, target: Any = None, *, return_convergence_delta: bool = False) -> Any:
        """A tensor in the shape, type and place of `inputs` (N, ...), or a tuple with it if `inputs` is one; `target` is a
        class, or one for every sample, or None for the predicted one. With `return_convergence_delta` also the sum of the
        shares minus FI, (N,)."""
        torch = need("torch", "captum", "quaver.captum")
        tensor = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else inputs
        if not isinstance(tensor, torch.Tensor):
            raise OptionError("inputs: give a tensor (N, ...), or a tuple of one")
        x = tensor.detach().cpu().numpy()
        y = None if target is None else _targets(torch, target, len(x))
        fi, direction, gradient = self.model.influence(x, y, progress=False, **self.options)
        share = direction * gradient
        found = {"share": share, "direction": direction, "gradient": gradient}[self.kind]
        # Whole numbers have no parts.
        dtype = tensor.dtype if tensor.is_floating_point() else torch.get_default_dtype()
        attribution = torch.from_numpy(np.ascontiguousarray(found.reshape(x.shape))).to(tensor.device, dtype)
        attribution = (attribution,) if isinstance(inputs, tuple) else attribution
        if not return_convergence_delta:
            return attribution
        delta = share.reshape(len(x), -1).sum(axis=1) - fi
        return attribution, torch.from_numpy(delta).to(tensor.device, dtype)

    def has_convergence_delta(self) -> bool:
        """Shares add up to FI, and `attribute` can say how well."""
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        """Attributions are not multiplied by the input, so that its zero does not matter."""
        return False

    def forward_func(self, inputs: Any) -> Any:
        """The network's logits, (N, K), of a tensor (N, ...): what is attributed, for wrappers such as NoiseTunnel."""
        torch = need("torch", "captum", "quaver.captum")
        precision = {key: value for key, value in self.options.items() if key == "precision"}
        logits = self.model.predict(inputs.detach().cpu().numpy(), progress=False, **precision)
        return torch.from_numpy(logits).to(inputs.device)


def _targets(torch: Any, target: Any, n: int) -> NDArray[np.int64]:
    """A class for every sample."""
    y = target.detach().cpu().numpy() if isinstance(target, torch.Tensor) else np.asarray(target)
    if y.dtype.kind not in "iu" or y.size not in (1, n):
        raise OptionError(f"target: give a class, or one for each of the {n} samples; these have shape {y.shape}, {y.dtype}")
    return np.broadcast_to(y.reshape(-1), (n,)).astype(np.int64)

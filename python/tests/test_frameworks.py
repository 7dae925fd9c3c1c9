"""Live PyTorch and scikit-learn models, against their own derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import quaver


@pytest.fixture(scope="module")
def network():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(96, 4))
    for _ in range(5):
        net(torch.randn(16, 3, 8, 8))  # running statistics that are not those of a fresh layer
    return net


def test_derivatives_are_those_of_autograd(network):
    import torch

    x = torch.randn(3, 3, 8, 8)
    network.train()
    m = quaver.from_torch(network, x)
    assert all(part.training for part in network.modules())
    network.eval()
    double = network.double()
    expected = torch.stack([torch.autograd.functional.jacobian(lambda v: double(v[None])[0], v) for v in x.double()])
    np.testing.assert_allclose(m.jacobian(x.numpy(), precision="f64"), expected.numpy(), rtol=1e-6, atol=1e-6)
    # An activation in the middle comes in PyTorch's own layout.
    first = double[0](x.double()).detach()
    expected = torch.stack([torch.autograd.functional.jacobian(lambda v: double[1:](v[None])[0], v) for v in first])
    names = [name for name in m.blocks("value:*")["block"]]
    shapes = {name: m.jacobian(x.numpy(), wrt=name, precision="f64") for name in names}
    conv = [j for j in shapes.values() if j.shape == expected.shape and np.allclose(j, expected.numpy(), atol=1e-6)]
    assert conv, {name: j.shape for name, j in shapes.items()}
    network.float()


def test_parameters_keep_their_names(network):
    import torch

    m = quaver.from_torch(network, torch.randn(2, 3, 8, 8))
    params = {name.removeprefix("param:") for name in m.blocks("param:*")["block"]}
    assert params == {name for name, _ in network.named_parameters()}
    # BatchNorm is a layer of its own.
    assert len(m.blocks("layers")) == 3


def test_equal_parameters_stay_apart():
    """The exporter makes one tensor of equal ones, and the BatchNorms of a fresh network are all alike."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.BatchNorm1d(5), nn.BatchNorm1d(5)
            self.out = nn.Linear(5, 3)

        def forward(self, x):
            assert not self.training
            return self.out(torch.tanh(self.b(torch.tanh(self.a(nn.functional.dropout(x, training=self.training))))))

    torch.manual_seed(0)
    net = Block()
    m = quaver.from_torch(net, torch.randn(2, 5))
    assert all(part.training for part in net.modules()) and not net._forward_hooks and not net._forward_pre_hooks
    assert {name.removeprefix("param:") for name in m.blocks("param:*")["block"]} == {name for name, _ in net.named_parameters()}
    x = torch.randn(2, 5)
    double = net.double().eval()
    jacobian = torch.stack([torch.stack([torch.autograd.grad(z, double.b.weight, retain_graph=True)[0] for z in double(v[None])[0]]) for v in x.double()])
    centred = jacobian - jacobian.mean(dim=1, keepdim=True)
    expected = (centred @ centred.transpose(1, 2)).numpy()
    np.testing.assert_allclose(m.grams(x, wrt="param:b.weight", precision="f64")["param:b.weight"], expected, rtol=1e-6, atol=1e-9)


def test_what_is_compared_with_the_original():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(4, 3)

        def forward(self, x):
            return {"logits": self.l(x)}

    class Inverse(nn.Module):
        def forward(self, x):
            return torch.linalg.inv(x)

    x = torch.randn(5, 4)
    several = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())
    m = quaver.from_torch(several, x, head="multi-label")
    np.testing.assert_allclose(m.predict_proba(x), several(x).detach().numpy(), rtol=1e-5)
    for module, options in ((Named(), {}), (several, {"head": "multi-label"}), (several[0], {"head": "multi-label"})):
        assert quaver.from_torch(module, x, **options).n_classes == 3
        with pytest.raises(quaver.ModelError, match="differs from the original"):
            quaver.from_torch(module, x, tolerance=1e-12, **options)
    with pytest.raises(quaver.ModelError, match="cannot export.*linalg_inv"):
        quaver.from_torch(Inverse(), torch.randn(2, 3, 3))


def test_several_inputs():
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(3, 4), torch.nn.Linear(5, 4)

        def forward(self, a, b):
            return torch.tanh(self.a(a)) * self.b(b)

    two = Two()
    a, b = torch.randn(6, 3), torch.randn(6, 5)
    m = quaver.from_torch(two, (a, b))
    assert repr(m) == "<quaver.Model: inputs input0 (3,), input1 (5,), 4 classes, head logits>"
    x = {"input0": a.numpy(), "input1": b.numpy()}
    np.testing.assert_allclose(m.logits(x), two(a, b).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert m.jacobian(x, wrt="input:input1").shape == (6, 4, 5)
    with pytest.raises(quaver.DataError, match="a dict"):
        m.logits(a.numpy())


def test_what_differs_is_refused(network, monkeypatch):
    import torch

    with pytest.raises(quaver.ModelError, match="differs from the original"):
        quaver.from_torch(network, torch.randn(2, 3, 8, 8), tolerance=1e-12)
    with pytest.raises(quaver.OptionError, match="tensor"):
        quaver.from_torch(network, np.zeros((1, 3, 8, 8)))


def test_captum_shares_add_up(model, glyphs):
    torch = pytest.importorskip("torch")
    from quaver.captum import Influence

    x, y = torch.tensor(glyphs.x[:8]), torch.tensor(glyphs.y[:8])
    shares, delta = Influence(model, precision="f64").attribute(x, y, return_convergence_delta=True)
    fi = model.score(glyphs.x[:8], glyphs.y[:8], precision="f64")["fi"]
    np.testing.assert_allclose(shares.sum(dim=(1, 2, 3)).numpy(), fi, rtol=1e-6)
    assert (delta.abs().numpy() < 1e-6 * fi).all() and shares.dtype == x.dtype
    # f grows along the direction as fast as the gradient says, and FI times the metric is its square.
    direction = Influence(model, kind="direction", precision="f64").attribute(x, y).numpy()
    z = model.vjp(glyphs.x[:8], np.eye(10), precision="f64")
    p = model.predict_proba(glyphs.x[:8], precision="f64")
    slopes = (z * direction[:, None]).sum(axis=(2, 3, 4))
    variance = (p * (slopes - (p * slopes).sum(1, keepdims=True)) ** 2).sum(1)
    np.testing.assert_allclose(variance, fi, rtol=1e-6)
    with pytest.raises(quaver.OptionError, match="kind"):
        Influence(model, kind="best")


def test_captum_takes_what_captum_does(model, glyphs):
    torch = pytest.importorskip("torch")
    from quaver.captum import Influence

    x = torch.tensor(glyphs.x[:3], dtype=torch.float32, requires_grad=True)
    influence = Influence(model)
    (one,) = influence.attribute((x,), target=3)
    assert one.dtype == torch.float32 and torch.equal(one, influence.attribute(x, [3, 3, 3]))
    whole = influence.attribute(torch.ones(2, 1, 28, 28, dtype=torch.uint8), 0)
    assert whole.is_floating_point() and whole.abs().max() > 0
    for bad in ({"inputs": glyphs.x}, {"inputs": x, "target": torch.tensor([1, 2])}, {"inputs": x, "target": 0.5}):
        with pytest.raises(quaver.OptionError, match="inputs|target"):
            influence.attribute(**bad)


def test_captums_noise_tunnel_takes_it(model, glyphs):
    torch = pytest.importorskip("torch")
    attr = pytest.importorskip("captum.attr")
    from quaver.captum import Influence

    x, y = torch.tensor(glyphs.x[:2]), torch.tensor(glyphs.y[:2])
    influence = Influence(model, kind="gradient")
    tunnel = attr.NoiseTunnel(influence)
    torch.manual_seed(5)
    smooth = tunnel.attribute(x, nt_type="smoothgrad", nt_samples=3, stdevs=0.1, target=y)
    torch.manual_seed(5)
    noisy = x.repeat_interleave(3, dim=0) + torch.normal(0, torch.tensor(0.1).repeat((6, *x.shape[1:])))
    alone = influence.attribute(noisy, y.repeat_interleave(3)).view(2, 3, *x.shape[1:]).mean(dim=1)
    torch.testing.assert_close(smooth, alone)
    _, delta = attr.NoiseTunnel(Influence(model)).attribute(x, nt_samples=2, target=y, return_convergence_delta=True)
    assert delta.shape == (4,) and not influence.multiplies_by_inputs
    assert torch.equal(influence.forward_func(x), torch.from_numpy(model.predict(glyphs.x[:2])))


def test_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    x, y = datasets.load_iris(return_X_y=True)
    for estimator in (LogisticRegression(max_iter=1000), make_pipeline(StandardScaler(), MLPClassifier(max_iter=2000, random_state=0))):
        estimator.fit(x, y)
        m = quaver.from_sklearn(estimator, example=x)
        np.testing.assert_allclose(m.predict_proba(x), estimator.predict_proba(x), atol=1e-4)
    linear = LogisticRegression(max_iter=1000).fit(x, y)
    jacobian = quaver.from_sklearn(linear).jacobian(x, precision="f64")
    centred = lambda j: j - j.mean(axis=-2, keepdims=True)
    np.testing.assert_allclose(centred(jacobian), np.broadcast_to(centred(linear.coef_), jacobian.shape), atol=1e-5)
    with pytest.raises(quaver.OptionError, match="predict_proba"):
        quaver.from_sklearn(LinearSVC().fit(x, y))

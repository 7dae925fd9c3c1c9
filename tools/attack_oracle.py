"""What PyTorch makes of the gradient attacks on the demo's network, in double precision.

    pip install numpy onnx torch
    quaver demo --export-data glyphs.npz --samples 60 --seed 3
    python tools/attack_oracle.py glyphs.npz crates/quaver/tests/fixtures/attacks.npz

An independent implementation: the network is put together from the weights in the ONNX file, gradients are autograd's,
and the attacks are written from the papers named below. None of them is random: projected gradient descent starts at
the sample. Everything moves in [0, 1], which for these pictures is also what the network is given.
"""

import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)
EPSILON, EPSILON_L2, STEPS, OVERSHOOT, DEEPFOOL_STEPS = 0.1, 1.5, 10, 0.02, 50


def network(path):
    graph = onnx.load(path).graph
    weights = {w.name: torch.tensor(numpy_helper.to_array(w)).double() for w in graph.initializer}

    def run(x):
        values = {graph.input[0].name: x}
        for node in graph.node:
            at = [values.get(name, weights.get(name)) for name in node.input]
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            match node.op_type:
                case "Conv":
                    y = F.conv2d(*at, stride=attributes["strides"], padding=attributes["pads"][:2])
                case "Relu":
                    y = F.relu(at[0])
                case "MaxPool":
                    y = F.max_pool2d(at[0], attributes["kernel_shape"], attributes["strides"])
                case "GlobalAveragePool":
                    y = at[0].mean((2, 3), keepdim=True)
                case "Flatten":
                    y = at[0].flatten(1)
                case "Gemm":
                    y = F.linear(at[0], at[1] if attributes.get("transB") else at[1].T, at[2])
                case other:
                    raise NotImplementedError(other)
            values[node.output[0]] = y
        return values[graph.output[0].name]

    return run


def gradient(model, u, label):
    u = u.clone().requires_grad_(True)
    loss = F.cross_entropy(model(u), label)
    return torch.autograd.grad(loss, u)[0]


def fgsm(model, start, label):
    """Goodfellow et al. 2015."""
    return (start + EPSILON * gradient(model, start, label).sign()).clamp(0, 1)


def pgd(model, start, label, project, direct, radius):
    """Madry et al. 2018, without a random start, ending at the first success."""
    u = start.clone()
    for _ in range(STEPS):
        if model(u).argmax() != label:
            break
        u = u + 2.5 / STEPS * radius * direct(gradient(model, u, label))
        u = (start + project(u - start)).clamp(0, 1)
    return u


def deepfool(model, start, label):
    """Moosavi-Dezfooli et al. 2016, algorithm 2, each step lengthened, without what leads out of the box."""
    u = start.clone()
    for _ in range(DEEPFOOL_STEPS):
        jacobian = torch.autograd.functional.jacobian(lambda v: model(v)[0], u).flatten(1)
        z = model(u)[0]
        if z.argmax() != label:
            break
        others = [k for k in range(len(z)) if k != label]
        f = torch.stack([z[k] - z[label][0] for k in others])
        w = torch.stack([jacobian[k] - jacobian[label][0] for k in others])
        w = w * ~(((u.flatten() <= 0) & (w < 0)) | ((u.flatten() >= 1) & (w > 0)))
        l = (f.abs() / w.norm(dim=1)).argmin()
        step = f[l].abs() / w[l].norm() ** 2 * w[l]
        u = (u + (1 + OVERSHOOT) * step.reshape(u.shape)).clamp(0, 1)
    return u


def main(data, out):
    model = network("crates/quaver/assets/demo_glyphs.onnx")
    arrays = np.load(data)
    x = torch.tensor(arrays["x"]).double() / 255
    y = torch.tensor(arrays["y"])
    right = [i for i in range(len(y)) if model(x[i : i + 1]).argmax() == y[i]][:4]
    results = {name: [] for name in ("fgsm", "pgd-linf", "pgd-l2", "deepfool")}
    for i in right:
        start, label = x[i : i + 1], y[i : i + 1]
        results["fgsm"].append(fgsm(model, start, label))
        clip = lambda d: d.clamp(-EPSILON, EPSILON)
        results["pgd-linf"].append(pgd(model, start, label, clip, torch.sign, EPSILON))
        shrink = lambda d: d * min(1.0, EPSILON_L2 / float(d.norm()))
        unit = lambda g: g / g.norm()
        results["pgd-l2"].append(pgd(model, start, label, shrink, unit, EPSILON_L2))
        results["deepfool"].append(deepfool(model, start, label))
        found = {name: (int(model(r[-1]).argmax()), round(float((r[-1] - start).norm()), 4)) for name, r in results.items()}
        print(i, int(label), found)
    settings = {"epsilon": EPSILON, "epsilon_l2": EPSILON_L2, "steps": STEPS}
    results = {name: torch.cat(r).numpy() for name, r in results.items()}
    settings = {name: np.array([value], dtype=np.float64) for name, value in settings.items()}
    np.savez_compressed(out, x=arrays["x"][right].astype(np.int64), y=arrays["y"][right], **results, **settings)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Trains the network of the demo and writes crates/quaver/assets/demo_glyphs.onnx.

For developers only: the ONNX file is committed, and nobody who uses the demo runs this.

    pip install -r tools/requirements-train.txt
    quaver demo --export-data train.npz --samples 4000 --seed 1
    quaver demo --export-data test.npz --samples 4000 --seed 2 --mislabelled 0 --overlaid 0
    python tools/train_demo.py --train train.npz --test test.npz

Data: two .npz files with the keys x, uint8 (N, 1, 28, 28), and y, int64 (N,). The training set is
the demo set itself, planted outliers included, because that is the question the demo asks: which
samples of its own training set does a network find suspicious? Nothing here knows which samples are
outliers. The training stops after a fixed, small number of epochs, with weight decay and one-pixel
shifts, so that the wrong labels are not learnt by heart. The test set is clean and from another
seed; it is only reported, and chooses nothing.

Network: input x / 255, float32 (N, 1, 28, 28), so that perturbations are in units of full ink; output
logits, float32 (N, 10). Three 3x3 convolutions, each with batch normalisation and ReLU, max pooling
after the first two, global average pooling, a linear layer. The exporter folds the batch
normalisations into the convolutions. The batch size is left open in the file.

Everything is seeded and runs on one CPU thread; even so, other versions of PyTorch or other
processors may round differently and give a slightly different network. Facts about the committed
file are in crates/quaver/assets/README.md.
"""

import argparse
import hashlib
import pathlib
import platform

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

SEED = 20190127
N_EPOCHS = 12
BATCH = 64
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.05
OPSET = 17
MAX_BYTES = 300_000
OUTPUT = pathlib.Path(__file__).parents[1] / "crates/quaver/assets/demo_glyphs.onnx"


def network() -> nn.Module:
    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *block(1, 16),
        nn.MaxPool2d(2),
        *block(16, 32),
        nn.MaxPool2d(2),
        *block(32, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def load(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures, float32 (N, 1, 28, 28) in [0, 1], and labels, int64 (N,)."""
    with np.load(path) as data:
        x, y = data["x"], data["y"]
    if x.dtype != np.uint8 or x.shape[1:] != (1, 28, 28) or y.shape != x.shape[:1]:
        raise SystemExit(
            f"{path}: expected x uint8 (N, 1, 28, 28) and y (N,), got {x.dtype} {x.shape} and {y.shape}"
        )
    return torch.from_numpy(x).float() / 255, torch.from_numpy(y).long()


def moved(x: torch.Tensor) -> torch.Tensor:
    """The batch moved by up to one pixel along each axis; the entering border is background."""
    right, down = torch.randint(0, 3, (2,)).tolist()
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    return padded[:, :, down : down + 28, right : right + 28]


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    n_steps = N_EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=n_steps)
    for epoch in range(N_EPOCHS):
        model.train()
        order = torch.randperm(len(x))
        losses = []
        for batch in order[: len(x) // BATCH * BATCH].split(BATCH):
            loss = nn.functional.cross_entropy(model(moved(x[batch])), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        met = accuracy(model, x, y)
        print(f"epoch {epoch + 1:2}: loss {np.mean(losses):.4f}, share of labels met {met:.4f}")


@torch.no_grad()
def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    model.eval()
    hits = [(model(a).argmax(1) == b).sum().item() for a, b in zip(x.split(500), y.split(500))]
    return sum(hits) / len(y)


def export(model: nn.Module, path: pathlib.Path) -> None:
    model.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 28, 28),),
        path,
        # The newer exporter starts at opset 18; this one writes an older file that more readers accept.
        dynamo=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {MAX_BYTES}")


@torch.no_grad()
def exported_error(model: nn.Module, path: pathlib.Path, x: torch.Tensor) -> float:
    """The largest difference between the logits of the file, run elsewhere, and those of the model."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": x.numpy()})
    return float(np.abs(logits - model(x).numpy()).max())


def main() -> None:
    arguments = argparse.ArgumentParser(description="Train the network of the demo.")
    option = arguments.add_argument
    option("--train", required=True, metavar="NPZ", help="the demo set, outliers included")
    option("--test", required=True, metavar="NPZ", help="a clean set from another seed")
    option("--output", type=pathlib.Path, default=OUTPUT, metavar="ONNX", help="default: %(default)s")
    options = arguments.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)

    x, y = load(options.train)
    x_test, y_test = load(options.test)
    model = network()
    train(model, x, y)
    export(model, options.output)

    print(f"parameters: {sum(p.numel() for p in model.parameters())}")
    print(f"share of labels met in the training set: {accuracy(model, x, y):.4f}")
    print(f"accuracy on the clean test set: {accuracy(model, x_test, y_test):.4f}")
    error = exported_error(model, options.output, x_test)
    print(f"largest difference of logits, ONNX Runtime against PyTorch: {error:.1e}")
    content = options.output.read_bytes()
    print(f"{options.output.name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    print(
        f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}, "
        f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}"
    )


if __name__ == "__main__":
    main()

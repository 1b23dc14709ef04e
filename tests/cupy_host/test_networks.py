"""Small networks take three steps under CuPy: the losses are the CPU's, in float32 and under bfloat16 autocast, and as captured steps."""
import numpy as np
import pytest

import ringgrad as rg
from ringgrad import nn, optim

STEPS = 3


class Recurrent(nn.Module):
    """Characters through an LSTM to a class each."""

    def __init__(self):
        super().__init__()
        self.table, self.cell, self.head = nn.Embedding(11, 8), nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 11)

    def forward(self, x):
        return self.head(self.cell(self.table(x))[0]).flatten(0, 1)


class Characters(nn.Module):
    """A GPT of one layer: causal attention, layer norm, GELU."""

    def __init__(self):
        super().__init__()
        self.table, self.places, self.head = nn.Embedding(11, 16), nn.Embedding(6, 16), nn.Linear(16, 11)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        h = self.table(x) + self.places(rg.arange(x.shape[1], device=x.device))
        return self.head(self.layer(h, src_mask=mask, is_causal=True)).flatten(0, 1)


def mlp():
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 5))


def cnn():
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.GELU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


def transformer():
    return nn.Sequential(nn.Linear(12, 16), nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True), 1,
                                                                  enable_nested_tensor=False), nn.Flatten(0, 1), nn.Linear(16, 5))


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def codes(top, *shape):
    return np.random.default_rng(1).integers(0, top, shape)


def sgd(parameters):
    return optim.SGD(parameters, lr=0.1, momentum=0.9)


def adamw(parameters):
    return optim.AdamW(parameters, lr=0.01)


NETWORKS = {  # name: (network, optimizer, inputs, targets)
    "MLP": (mlp, sgd, numbers(9, 12), codes(5, 9)),
    "CNN": (cnn, sgd, numbers(4, 3, 8, 8), codes(5, 4)),
    "char-GPT": (Characters, adamw, codes(11, 3, 6), codes(11, 18)),
    "LSTM": (Recurrent, adamw, codes(11, 3, 6), codes(11, 18)),
    "Transformer": (transformer, adamw, numbers(3, 5, 12), codes(5, 15)),
}


def losses(device, build, make_optimizer, x, y, half):
    rg.manual_seed(0)
    model = build().to(device)
    optimizer, found = make_optimizer(model.parameters()), []
    x, y = rg.from_numpy(x).to(device), rg.from_numpy(y).to(device)
    for _ in range(STEPS):
        with rg.autocast(device, dtype=rg.bfloat16, enabled=half):
            loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16 autocast"])
@pytest.mark.parametrize("name", NETWORKS)
def test_losses_are_those_of_the_cpu(name, half, executed):
    here, there = losses("cpu", *NETWORKS[name], half), losses("cuda", *NETWORKS[name], half)
    assert here[-1] < here[0]
    np.testing.assert_allclose(there, here, rtol=3e-2 if half else 1e-5)


@pytest.mark.parametrize("name", ["MLP", "char-GPT"])
def test_a_captured_step_is_the_step(name, executed):
    build, make_optimizer, x, y = NETWORKS[name]

    def steps(wrap, device):
        rg.manual_seed(0)
        model = build().to(device)
        optimizer, x_there, y_there = make_optimizer(model.parameters()), rg.from_numpy(x).to(device), rg.from_numpy(y).to(device)

        def step():
            loss = nn.functional.cross_entropy(model(x_there), y_there)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss
        run = wrap(step)
        return [run().item() for _ in range(2 * STEPS)]  # half of them before the capture
    np.testing.assert_allclose(steps(rg.compile_step, "cuda"), steps(lambda step: step, "cpu"), rtol=1e-5)

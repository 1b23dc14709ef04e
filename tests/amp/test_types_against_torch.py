"""Under autocast on the CPU every operation gives the type that it gives in PyTorch: all rows of tests/ops, and modules."""
import contextlib
import itertools
import warnings

import pytest

import ringgrad

from ..ops.checks import name_of, run, tensor
from ..ops.samples import SAMPLES

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

DTYPES = ("float32", "bfloat16", "float16", "float64")

DIFFERENT = {  # rows whose type differs on purpose, and why
    "linalg.pinv": "stays in float32; torch multiplies the parts of the decomposition in the lower type",
    "linalg.lstsq": "refuses half precision, which it looks at before any operation runs",
    "linalg.matrix_rank": "refuses half precision, which it looks at before any operation runs",
    "quantile": "refuses half precision, which it looks at before any operation runs",
    "nanquantile": "refuses half precision, which it looks at before any operation runs",
    "matrix_power": "refuses negative powers in half precision before any operation runs",
    "linalg.matrix_exp": "refuses half precision",
    "nn.functional.pad": "reflected and replicated values are copies; torch makes them float32 all the same",
}
GROUPS = {key: list(rows) for key, rows in itertools.groupby(sorted(SAMPLES, key=lambda s: s.name.lower()), key=lambda s: s.name.lower()[:4])}


def types(sample, library, arrays, region):
    """The types of the outputs; None where the library raises."""
    try:
        with region:
            outputs = run(sample, library, [tensor(library, a) for a in arrays])
    except Exception:
        return None
    return [name_of(o.dtype) if hasattr(o, "detach") else None for o in outputs]


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("low", ["bfloat16", "float16"])
def test_rows(group, low):
    wrong = []
    for sample, dtype in itertools.product(GROUPS[group], DTYPES):
        if isinstance(sample.torch, str) or sample.name in DIFFERENT or dtype not in sample.dtypes:
            continue
        arrays = sample.arrays(dtype)
        outside = contextlib.nullcontext()
        if types(sample, torch, arrays, outside) != types(sample, ringgrad, arrays, outside):
            continue  # a matter of tests/oracle
        want = types(sample, torch, arrays, torch.autocast("cpu", dtype=getattr(torch, low)))
        got = types(sample, ringgrad, arrays, ringgrad.autocast("cpu", dtype=getattr(ringgrad, low)))
        if want is not None and got != want:
            wrong.append(f"{sample} in {dtype}: {got}, torch gives {want}")
    assert not wrong, "\n".join(wrong)


MODULES = {
    "linear": (lambda nn: nn.Linear(4, 3), (5, 4)),
    "gru": (lambda nn: nn.GRU(4, 3), (5, 2, 4)),
    "lstm": (lambda nn: nn.LSTM(4, 3), (5, 2, 4)),
    "rnn": (lambda nn: nn.RNN(4, 3), (5, 2, 4)),
    "lstm_cell": (lambda nn: nn.LSTMCell(4, 3), (5, 4)),
    "gru_cell": (lambda nn: nn.GRUCell(4, 3), (5, 4)),
    "batch_norm": (lambda nn: nn.BatchNorm2d(4), (5, 4, 2, 2)),
    "batch_norm_eval": (lambda nn: nn.BatchNorm2d(4).eval(), (5, 4, 2, 2)),
    "layer_norm": (lambda nn: nn.LayerNorm(4), (5, 4)),
    "group_norm": (lambda nn: nn.GroupNorm(2, 4), (5, 4, 3)),
    "instance_norm": (lambda nn: nn.InstanceNorm1d(4, affine=True), (5, 4, 3)),
    "rms_norm": (lambda nn: nn.RMSNorm(4), (5, 4)),
    "conv1d": (lambda nn: nn.Conv1d(4, 2, 2), (5, 4, 3)),
    "conv2d": (lambda nn: nn.Conv2d(4, 2, 2), (5, 4, 3, 3)),
    "conv3d": (lambda nn: nn.Conv3d(4, 2, 2), (5, 4, 3, 3, 3)),
    "conv_transpose2d": (lambda nn: nn.ConvTranspose2d(4, 2, 2), (5, 4, 3, 3)),
    "prelu": (lambda nn: nn.PReLU(), (5, 4)),
    "upsample": (lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), (1, 2, 3, 3)),
    "adaptive_avg_pool2d": (lambda nn: nn.AdaptiveAvgPool2d(2), (1, 2, 5, 5)),
    "avg_pool3d": (lambda nn: nn.AvgPool3d(2), (1, 2, 4, 4, 4)),
    "max_pool2d": (lambda nn: nn.MaxPool2d(2), (1, 2, 4, 4)),
    "max_pool3d": (lambda nn: nn.MaxPool3d(2), (1, 2, 4, 4, 4)),
    "softmax": (lambda nn: nn.Softmax(1), (3, 4)),
    "gelu": (lambda nn: nn.GELU(), (3, 4)),
    "local_response_norm": (lambda nn: nn.LocalResponseNorm(2), (1, 4, 3, 3)),
    "mse_loss": (lambda nn: lambda x: nn.MSELoss()(x, x), (3, 4)),
    "bce_with_logits": (lambda nn: lambda x: nn.BCEWithLogitsLoss()(x, x * 0), (3, 4)),
    "gaussian_nll": (lambda nn: lambda x: nn.GaussianNLLLoss()(x, x, x * 0 + 1), (3, 4)),
    "multilabel_soft_margin": (lambda nn: lambda x: nn.MultiLabelSoftMarginLoss()(x, x * 0), (3, 4)),
    "cosine_similarity": (lambda nn: lambda x: nn.CosineSimilarity()(x, x), (3, 4)),
    "sequential": (lambda nn: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                            nn.LayerNorm(4), nn.Linear(4, 2)), (3, 2, 5, 5)),
    "in_place": (lambda nn: lambda x: x.clone().addmm_(x, x), (3, 3)),
    "matrix_times_vector": (lambda nn: lambda x: x @ x[0], (3, 3)),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", DTYPES[:3])
def test_modules(name, dtype):
    make, shape = MODULES[name]
    if name == "lstm" and dtype == "float16":
        pytest.skip("torch takes another way for this type, and its result is float32")

    def result(library):
        with library.autocast("cpu"):
            out = make(library.nn)((library.zeros(*shape) + 0.5).to(getattr(library, dtype)))
        return name_of((out[0] if isinstance(out, tuple) else out).dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = result(ringgrad)
        try:
            theirs = result(torch)
        except RuntimeError as error:
            if "could not create a primitive" not in str(error):
                raise
            pytest.skip("torch's library has no such layer for this processor")
    assert ours == theirs


def test_a_training_run():
    """Twenty steps of a small network in bfloat16: the losses go the same way as torch's, and the parameters stay float32."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.LayerNorm(32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    x, y = torch.randn(64, 8), torch.randint(0, 3, (64,))
    weights = {k: v.detach().numpy().copy() for k, v in model.state_dict().items()}

    def losses(library, make, build):
        net = build(library.nn)
        net.load_state_dict({k: make(v.copy()) for k, v in weights.items()})
        optimizer = library.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        inputs, labels, path = make(x.numpy().copy()), make(y.numpy().copy()), []
        for _ in range(20):
            optimizer.zero_grad()
            with library.autocast("cpu"):
                loss = library.nn.functional.cross_entropy(net(inputs), labels)
            loss.backward()
            optimizer.step()
            path.append(loss.item())
        assert {name_of(p.dtype) for p in net.parameters()} == {"float32"}
        return path

    def build(nn):
        return nn.Sequential(nn.Linear(8, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 3))
    got, want = losses(ringgrad, ringgrad.from_numpy, build), losses(torch, torch.from_numpy, build)
    assert got == pytest.approx(want, rel=0.03) and got[-1] < 0.7 * got[0]

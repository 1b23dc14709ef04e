"""Every option of every optimizer against PyTorch: ten steps from the same point with the same gradients."""
import numpy as np
import pytest

import ringgrad
from ringgrad import optim

from .option_rows import arrays, for_optimizer, options, ours, theirs

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:::torch")]

TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


def trajectory(library, make, name, kwargs, starts, gradients, groups=False):
    """The parameters after each step, and the optimizer."""
    params = [make(x).requires_grad_() for x in starts]
    split = [{"params": params[:2], "lr": 0.2}, {"params": params[2:], "weight_decay": 0.05}] if groups else params
    optimizer = getattr(library.optim, name)(split, **kwargs)
    path = []
    for step in gradients:
        for p, g in zip(params, step):
            p.grad = make(g)
        optimizer.step()
        path.append([p.detach().numpy().copy() for p in params])
    return path, optimizer


def assert_same(got, want, tolerance):
    for step, (a, b) in enumerate(zip(got, want, strict=True)):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance, err_msg=f"step {step + 1}")


@options
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ten_steps(name, kwargs, dtype):
    starts, gradients = for_optimizer(name, dtype)
    got, _ = trajectory(ringgrad, ours, name, kwargs, starts, gradients)
    want, _ = trajectory(torch, theirs, name, kwargs, starts, gradients)
    assert_same(got, want, TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "NAdam", "Adamax", "RAdam", "ASGD", "Rprop"])
def test_complex_parameters(name):
    starts, gradients = arrays("complex128")
    kwargs = {"lr": 0.05, **({} if name == "Rprop" else {"weight_decay": 0.1})}
    got, _ = trajectory(ringgrad, ours, name, kwargs, starts, gradients)
    want, _ = trajectory(torch, theirs, name, kwargs, starts, gradients)
    assert_same(got, want, 1e-12)


@pytest.mark.parametrize(("name", "kwargs"), [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("Adagrad", {})])
def test_parameter_groups_and_state_dict(name, kwargs):
    starts, gradients = arrays("float64")
    got, a = trajectory(ringgrad, ours, name, {"lr": 0.1, **kwargs}, starts, gradients, groups=True)
    want, b = trajectory(torch, theirs, name, {"lr": 0.1, **kwargs}, starts, gradients, groups=True)
    assert_same(got, want, 1e-12)
    mine, other = a.state_dict(), b.state_dict()
    assert mine["param_groups"] == other["param_groups"]
    assert mine["state"].keys() == other["state"].keys()
    for n in mine["state"]:
        assert list(mine["state"][n]) == list(other["state"][n])
        for key, value in other["state"][n].items():
            np.testing.assert_allclose(mine["state"][n][key].numpy(), value.numpy(), rtol=1e-12, atol=1e-12)
            assert str(mine["state"][n][key].dtype).split(".")[1] == str(value.dtype).split(".")[1]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_tensor_as_learning_rate(name):
    starts, gradients = arrays("float64")
    got, _ = trajectory(ringgrad, ours, name, {"lr": ringgrad.tensor(0.1, dtype=ringgrad.float64)}, starts, gradients)
    want, _ = trajectory(torch, theirs, name, {"lr": torch.tensor(0.1, dtype=torch.float64)}, starts, gradients)
    assert_same(got, want, 1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_rounds_once_as_torch_fused_does(name, dtype):
    starts, gradients = arrays("float32")
    starts = [x.copy(order="C") for x in starts]  # torch's fused update takes no notice of strides
    cast, cast_torch = (lambda x: ours(x).to(getattr(ringgrad, dtype)).detach()), (lambda x: theirs(x).to(getattr(torch, dtype)).detach())

    def last(library, make, fused):
        params = [make(x).requires_grad_() for x in starts]
        optimizer = getattr(library.optim, name)(params, lr=0.05, fused=fused)
        for step in gradients:
            for p, g in zip(params, step):
                p.grad = make(g)
            optimizer.step()
        return [p.detach().to(getattr(library, "float32")).numpy() for p in params]  # noqa: B009

    ulp = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    for x, y in zip(last(ringgrad, cast, None), last(torch, cast_torch, True)):
        np.testing.assert_allclose(x, y, rtol=2 * ulp, atol=2 * ulp)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "AdamW", "Adadelta", "NAdam", "RAdam", "ASGD"])
def test_differentiable_steps_carry_gradients_to_the_first_point(name):
    kwargs = {"lr": 0.05, "differentiable": True}

    def run(library, make):
        start = make(np.array([0.5, -1.5, 2.0])).requires_grad_()
        p = start.clone()
        optimizer = getattr(library.optim, name)([p], **kwargs)
        for _ in range(3):
            p.grad = start**2 + 1
            optimizer.step()
        (p * p).sum().backward()
        return p.detach().numpy(), start.grad.numpy()

    for x, y in zip(run(ringgrad, ours), run(torch, theirs)):
        np.testing.assert_allclose(x, y, rtol=1e-5 if "Adam" in name else 1e-12)  # torch corrects their bias in float32 here


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RAdam"])  # torch itself has them for these
def test_gradients_reach_the_learning_rate(name):
    def run(library, make):
        rate = make(np.array(0.05)).requires_grad_()
        p = make(np.array([0.5, -1.5, 2.0])).requires_grad_().clone()
        optimizer = getattr(library.optim, name)([p], lr=rate, differentiable=True)
        for k in range(3):
            p.grad = make(np.array([1.0, 2.0, -1.0]) + k)
            optimizer.step()
        (p * p).sum().backward()
        return rate.grad.numpy()
    np.testing.assert_allclose(run(ringgrad, ours), run(torch, theirs), rtol=1e-5)


BAD = [
    ("SGD", {"lr": -1}), ("SGD", {"momentum": -1}), ("SGD", {"weight_decay": -1}), ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}), ("SGD", {"fused": True, "foreach": True}),
    ("SGD", {"fused": True, "differentiable": True}),
    ("Adam", {"lr": -1}), ("Adam", {"eps": -1}), ("Adam", {"betas": (1.0, 0.9)}), ("Adam", {"betas": (0.9, -0.1)}),
    ("Adam", {"betas": (0, 0)}), ("Adam", {"weight_decay": -1}), ("Adam", {"fused": True, "foreach": True}),
    ("Adagrad", {"lr_decay": -1}), ("Adagrad", {"initial_accumulator_value": -1}), ("Adadelta", {"rho": 1.5}), ("RMSprop", {"alpha": -1}),
    ("NAdam", {"momentum_decay": -1}), ("Adamax", {"betas": (0.9, 1.0)}),
    ("RAdam", {"lr": -1}), ("RAdam", {"betas": (0.9, 1.0)}), ("RAdam", {"eps": -1}), ("RAdam", {"weight_decay": -1}),
    ("Rprop", {"lr": -1}), ("Rprop", {"etas": (1.5, 1.2)}), ("ASGD", {"lr": -1}), ("ASGD", {"weight_decay": -1}),
    ("Adafactor", {"lr": -1}), ("Adafactor", {"beta2_decay": 0.5}), ("Adafactor", {"eps": (-1, 1)}), ("Adafactor", {"eps": (None, -1)}),
    ("Adafactor", {"d": 0.5}), ("Adafactor", {"weight_decay": -1}), ("Muon", {"lr": -1}), ("Muon", {"momentum": -1}),
    ("Muon", {"weight_decay": -1}), ("Muon", {"adjust_lr_fn": "x"}), ("Muon", {}), ("LBFGS", {"lr": -1}),
]


@pytest.mark.parametrize(("name", "kwargs"), BAD)
def test_bad_options_raise_what_torch_raises(name, kwargs):
    with pytest.raises(Exception) as want:  # noqa: B017, PT011 - the type is compared below
        getattr(torch.optim, name)([torch.zeros(2, requires_grad=True)], **kwargs)
    with pytest.raises(type(want.value)) as got:
        getattr(optim, name)([ringgrad.zeros(2, requires_grad=True)], **kwargs)
    assert str(got.value).replace("ringgrad", "torch") == str(want.value)


def test_repr():
    def text(library):
        return repr(library.optim.SGD([{"params": [library.zeros(1, requires_grad=True)]},
                                       {"params": [library.zeros(1, requires_grad=True)], "lr": 0.3}], lr=0.1))
    assert text(ringgrad) == text(torch)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_fused_is_for_real_numbers(name):
    for library in (torch, ringgrad):
        p = library.ones(2, dtype=library.complex64, requires_grad=True)
        p.grad = library.ones(2, dtype=library.complex64)
        with pytest.raises(RuntimeError, match="`fused=True` requires all the params to be floating point Tensors"):
            getattr(library.optim, name)([p], lr=0.1, fused=True).step()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "NAdam", "Adamax", "RAdam", "Rprop", "ASGD", "Adafactor"])
@pytest.mark.parametrize("choice", [{"foreach": True}, {"foreach": False}, {"fused": True}, {"fused": False}], ids=str)
def test_choices_of_implementation(name, choice):
    """They choose nothing here, and end where torch ends with the same choice."""
    if "fused" in choice and name not in ("SGD", "Adam", "AdamW", "Adagrad"):
        pytest.skip("torch has no fused form of it")
    starts, gradients = for_optimizer(name, "float64")
    starts = [x.copy(order="C") for x in starts]  # torch's fused update takes no notice of strides
    got, a = trajectory(ringgrad, ours, name, {"lr": 0.05, **choice}, starts, gradients)
    want, b = trajectory(torch, theirs, name, {"lr": 0.05, **choice}, starts, gradients)
    rounded = choice == {"fused": True} or name == "ASGD" and choice == {"foreach": True}  # torch has numbers in float32 there
    assert_same(got, want, 1e-6 if rounded else 1e-12)
    assert a.state_dict()["param_groups"] == b.state_dict()["param_groups"]

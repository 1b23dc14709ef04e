"""Recurrent layers, their cells and packed sequences, against real torch."""
import copy
import itertools
import pickle

import numpy as np
import pytest

import ringgrad

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

IN, H, T, B = 4, 5, 6, 3
BOTH = (ringgrad, torch)


def flat(out):
    """The tensors in nested tuples, in order."""
    if out is None:
        return []
    return [t for o in out for t in flat(o)] if isinstance(out, (tuple, list)) else [out]


def pair(kind, *args, **options):
    """The same layer on both libraries, with ringgrad's weights, in float64."""
    ours, theirs = (getattr(lib.nn, kind)(*args, **options).double() for lib in BOTH)
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    return ours, theirs


def run(lib, module, arrays, call):
    """Outputs, and the gradients of the arrays and of all parameters, as arrays."""
    tensors = [lib.from_numpy(a.copy()).requires_grad_() for a in arrays]
    outs = flat(call(lib, module, *tensors))
    rng = np.random.default_rng(3)
    module.zero_grad()
    sum((t * lib.from_numpy(rng.standard_normal(tuple(t.shape)))).sum() for t in outs).backward()
    return [t.detach().numpy() for t in outs] + [t.grad.numpy() for t in (*tensors, *module.parameters()) if t.grad is not None]


def compare(ours, theirs, arrays, call):
    got, want = run(ringgrad, ours, arrays, call), run(torch, theirs, arrays, call)
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert a.shape == b.shape, i
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12, err_msg=f"outputs, then gradients, number {i}")


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s) for s in shapes]


def first_states(kind, h):
    return tuple(h) if kind == "LSTM" else h[0]


LAYERS = [(kind, {"num_layers": n, "bias": bias, "batch_first": first, "bidirectional": both, **more})
          for kind, more in (("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"}))
          for n, bias, first, both in ((1, True, False, False), (2, True, True, True), (2, False, False, True), (1, False, True, False),
                                       (3, True, False, False))]
layers = pytest.mark.parametrize(("kind", "options"), LAYERS, ids=str)


@layers
@pytest.mark.parametrize("form", ["batch", "one", "packed", "packed unsorted"])
@pytest.mark.parametrize("given", [True, False], ids=["with hx", "without hx"])
def test_outputs_and_gradients(kind, options, form, given):
    ours, theirs = pair(kind, IN, H, **options)
    n, first = options["num_layers"] * (1 + options["bidirectional"]), options["batch_first"]
    batch = () if form == "one" else (B,)
    x = (T, IN) if form == "one" else (B, T, IN) if first else (T, B, IN)
    states = [(n, *batch, options.get("proj_size", H)), (n, *batch, H)][:2 if kind == "LSTM" else 1]

    def call(lib, module, x, *h):
        rnn = lib.nn.utils.rnn
        hx = first_states(kind, h) if given else None
        if not form.startswith("packed"):
            return module(x, hx)
        ordered = form == "packed"
        packed = rnn.pack_padded_sequence(x, [6, 4, 1] if ordered else [2, 6, 4], batch_first=first, enforce_sorted=ordered)
        out, last = module(packed, hx)
        assert isinstance(out, rnn.PackedSequence)
        return rnn.pad_packed_sequence(out, batch_first=first, total_length=7, padding_value=2.5)[0], last
    compare(ours, theirs, draw(x, *(states if given else [])), call)


@layers
def test_names_shapes_and_printed_form(kind, options):
    ours, theirs = (getattr(lib.nn, kind)(IN, H, dropout=0.25 if options["num_layers"] > 1 else 0.0, **options) for lib in BOTH)
    assert repr(ours) == repr(theirs)
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours._all_weights == theirs._all_weights
    assert [[tuple(w.shape) for w in ws] for ws in ours.all_weights] == [[tuple(w.shape) for w in ws] for ws in theirs.all_weights]
    assert all(a is b for a, b in zip(ours._flat_weights, ours.parameters(), strict=True))
    assert ours.flatten_parameters() is None


def test_positional_arguments():
    for text in ("nn.RNN(3, 4, 2, 'relu', False, True, 0.5, True)", "nn.LSTM(3, 4, 2, False, True, 0.5, True, 2)",
                 "nn.GRU(3, 4, 2, False, True, 0.5, True)"):
        ours, theirs = (eval(text, {"nn": lib.nn}) for lib in BOTH)
        assert repr(ours) == repr(theirs)
        assert ours.mode == theirs.mode


def test_initial_values_are_uniform_up_to_the_root_of_the_hidden_size():
    for module in (ringgrad.nn.LSTM(8, 100), ringgrad.nn.GRUCell(8, 100)):
        for p in module.parameters():
            values = p.detach().numpy()
            assert np.abs(values).max() <= 0.1
            assert np.abs(values).max() > 0.09
            assert abs(values.mean()) < 0.02


def test_dropout_lies_between_the_layers_in_training_only():
    ringgrad.manual_seed(0)
    rnn = ringgrad.nn.RNN(3, 200, num_layers=2, dropout=0.5, nonlinearity="relu")
    x = ringgrad.ones(4, 2, 3)
    seen = []
    for _ in range(2):
        seen.append(rnn(x)[0].detach().numpy())
    assert not np.array_equal(*seen)
    assert ((seen[0] == 0).mean(axis=(1, 2)) < 0.9).all()  # the last layer's output is not dropped out itself
    rnn.eval()
    np.testing.assert_array_equal(rnn(x)[0].detach().numpy(), rnn(x)[0].detach().numpy())
    everything = ringgrad.nn.LSTM(3, 4, num_layers=2, dropout=1.0)
    first_bias_only = [everything(ringgrad.randn(1, 2, 3))[0].detach().numpy() for _ in range(2)]
    np.testing.assert_array_equal(*first_bias_only)  # nothing passes from layer to layer
    with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1, but got dropout=0.5 and num_layers=1"):
        ringgrad.nn.GRU(3, 4, dropout=0.5)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_second_derivatives(kind):
    module = getattr(ringgrad.nn, kind)(2, 2).double()
    x, *h = (ringgrad.from_numpy(a).requires_grad_() for a in draw((3, 1, 2), (1, 1, 2), (1, 1, 2)))
    states = h[:2 if kind == "LSTM" else 1]
    assert ringgrad.autograd.gradgradcheck(lambda x, *h: flat(module(x, first_states(kind, h))), (x, *states))
    y = module(x, first_states(kind, states))[0]
    weights = module.weight_hh_l0, module.bias_ih_l0
    g, = ringgrad.autograd.grad(y.square().sum(), weights[0], create_graph=True)
    g.square().sum().backward()
    assert all(np.abs(w.grad.numpy()).max() > 0 for w in weights)


def test_penalty_on_the_gradient_as_in_torch():
    """Second derivatives by the weights, of a packed, projected LSTM whose two first states are one tensor."""
    ours, theirs = pair("LSTM", 3, 4, proj_size=2)

    def call(lib, module, x, h):
        packed = lib.nn.utils.rnn.pack_padded_sequence(x, [4, 2])
        y, (_, c) = module(packed, (h, lib.cat([h, h], 2)))
        g = lib.autograd.grad((y.data ** 2).sum() + c.sum(), [x, h, module.weight_hr_l0, module.weight_hh_l0], create_graph=True)
        return [t ** 2 for t in g]
    compare(ours, theirs, draw((4, 2, 3), (1, 2, 2)), call)


def test_writing_over_the_output_does_not_change_the_gradient():
    """The layers keep nothing that they give away."""
    for kind in ("LSTM", "GRU", "RNN"):
        module = getattr(ringgrad.nn, kind)(3, 4).double()
        found = []
        for spoil in (False, True):
            x = ringgrad.from_numpy(*draw((5, 2, 3))).requires_grad_()
            y = module(x)[0]
            seen = y * 1
            if spoil:
                y.detach().zero_()
                y.relu_()
            seen.sum().backward()
            found.append(x.grad.numpy())
        np.testing.assert_array_equal(*found)


def test_one_tensor_as_both_first_states():
    ours, theirs = pair("LSTM", IN, H)
    compare(ours, theirs, draw((T, B, IN), (1, B, H)), lambda lib, module, x, h: module(x, (h, h)))


def test_frozen_weights_and_inputs():
    for freeze in (["weight_ih_l0"], ["weight_hh_l0", "bias_hh_l0"], ["bias_ih_l0", "bias_hh_l0"]):
        for kind in ("LSTM", "GRU", "RNN"):
            ours, theirs = pair(kind, IN, H)
            for module, name in itertools.product((ours, theirs), freeze):
                getattr(module, name).requires_grad_(False)
            compare(ours, theirs, draw((T, B, IN)), lambda lib, module, x: module(x.detach())[0])


def test_a_weight_that_is_replaced_is_used():
    """As weight dropout does it: the parameter is taken away, and a tensor put in its place before each call."""
    def call(lib, module, x):
        raw = module.weight_hh_l0
        del module.weight_hh_l0
        module.weight_hh_l0 = raw * 0.5
        out = module(x)[0]
        del module.weight_hh_l0
        module.weight_hh_l0 = raw
        return out
    compare(*pair("LSTM", IN, H), draw((T, B, IN)), call)


def test_copies_and_pickles():
    module = ringgrad.nn.LSTM(3, 4, 2, bidirectional=True)
    x = ringgrad.randn(2, 1, 3)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        np.testing.assert_array_equal(twin(x)[0].detach().numpy(), module(x)[0].detach().numpy())
        assert twin.all_weights[0][0] is not module.all_weights[0][0]


def test_half_precision():
    for kind in ("LSTM", "GRU", "RNN"):
        module = getattr(ringgrad.nn, kind)(3, 4)
        x = ringgrad.randn(5, 2, 3)
        want = module(x)[0].detach().numpy()
        got = module.half()(x.half())[0]
        got.sum().backward()
        assert got.dtype == ringgrad.float16
        assert module.weight_hh_l0.grad.dtype == ringgrad.float16
        np.testing.assert_allclose(got.detach().numpy(), want, atol=5e-3)


def test_autocast_takes_inputs_of_its_own_type():
    for kind in ("LSTM", "GRU", "RNN"):
        found = []
        for lib in BOTH:
            module, x = getattr(lib.nn, kind)(3, 4), lib.ones(5, 2, 3, dtype=lib.bfloat16)
            with lib.autocast("cpu", dtype=lib.bfloat16):
                found.append(str(module(x)[0].dtype).rpartition(".")[2])
            with pytest.raises(ValueError, match="does not match weight dtype"):
                module(x)
        assert found[0] == found[1]


# -- cells -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["RNNCell(4, 5)", "RNNCell(4, 5, False, 'relu')", "LSTMCell(4, 5)", "LSTMCell(4, 5, bias=False)", "GRUCell(4, 5)",
                                  "GRUCell(4, 5, False)"])
def test_cells(text):
    ours, theirs = (eval(f"nn.{text}", {"nn": lib.nn}).double() for lib in BOTH)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    lstm = text.startswith("LSTM")
    for batch in ((B,), ()):
        arrays = draw((*batch, 4), (*batch, 5), (*batch, 5))[:3 if lstm else 2]
        compare(ours, theirs, arrays, lambda lib, module, x, *h: module(x, first_states("LSTM" if lstm else "", h)))
        compare(ours, theirs, arrays[:1], lambda lib, module, x: module(x))
    x = ringgrad.from_numpy(arrays[0]).requires_grad_()
    assert ringgrad.autograd.gradgradcheck(lambda x: flat(ours(x)), (x,))


# -- packed sequences --------------------------------------------------------------------------------------------------

LENGTHS = [([5, 3, 1], True), ([2, 5, 3], False), ([4, 4, 4], True), ([1, 1, 5], False), ([5, 5, 1], True)]


@pytest.mark.parametrize(("lengths", "ordered"), LENGTHS, ids=str)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("tensor", [True, False])
def test_packing_and_padding(lengths, ordered, first, tensor):
    """The fields, and there and back with gradients."""
    x, = draw((3, 5, 2) if first else (5, 3, 2))
    found = []
    for lib in BOTH:
        rnn = lib.nn.utils.rnn
        t = lib.from_numpy(x.copy()).requires_grad_()
        packed = rnn.pack_padded_sequence(t, lib.tensor(lengths) if tensor else lengths, batch_first=first, enforce_sorted=ordered)
        fields = [None if f is None else f.detach().numpy() for f in packed]
        padded, back = rnn.pad_packed_sequence(packed, batch_first=not first, padding_value=-1.0, total_length=6)
        (padded * padded).sum().backward()
        again = rnn.unpack_sequence(packed)
        found.append([*fields, padded.detach().numpy(), back.numpy(), t.grad.numpy(), *(s.detach().numpy() for s in again)])
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_lists(first, side):
    parts = draw((2, 3), (5, 3), (1, 3))
    found = []
    for lib in BOTH:
        tensors = [lib.from_numpy(p.copy()).requires_grad_() for p in parts]
        padded = lib.nn.utils.rnn.pad_sequence(tensors, first, 7.0, side)
        (padded * padded).sum().backward()
        found.append([padded.detach().numpy(), *(t.grad.numpy() for t in tensors)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    back = ringgrad.nn.utils.rnn.unpad_sequence(ringgrad.nn.utils.rnn.pad_sequence([ringgrad.from_numpy(p) for p in parts], first),
                                                ringgrad.tensor([2, 5, 1]), first)
    for a, b in zip(back, parts, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)


def test_lists_of_whole_numbers_and_the_first_ones_type():
    for lib in BOTH:
        packed = lib.nn.utils.rnn.pack_sequence([lib.tensor([1, 2]), lib.tensor([3, 4, 5])], enforce_sorted=False)
        assert packed.data.tolist() == [3, 1, 4, 2, 5]
        assert packed.sorted_indices.tolist() == [1, 0]
        assert [s.tolist() for s in lib.nn.utils.rnn.unpack_sequence(packed)] == [[1, 2], [3, 4, 5]]


def test_the_packed_sequence_itself():
    for lib in BOTH:
        p = lib.nn.utils.rnn.pack_sequence([lib.ones(3, 2), lib.zeros(2, 2)])
        assert type(p).__module__.endswith("nn.utils.rnn")
        assert isinstance(p, tuple)
        assert p.to(lib.float32) is p
        assert p.cpu() is p
        assert p.float() is p
        assert str(p.double().data.dtype).endswith("float64")
        assert str(p.to(lib.float64).data.dtype).endswith("float64")
        assert str(p.double().batch_sizes.dtype).endswith("int64")
        assert [str(getattr(p, name)().data.dtype).rpartition(".")[2] for name in ("half", "long", "int", "short", "char", "byte")] == [
            "float16", "int64", "int32", "int16", "int8", "uint8"]
        assert not p.is_cuda
        assert not p.is_pinned()
        q = lib.nn.utils.rnn.PackedSequence(p.data, p.batch_sizes, lib.tensor([1, 2, 0]))
        assert q.unsorted_indices.tolist() == [2, 0, 1]
        assert lib.nn.utils.rnn.PackedSequence((p.data, p.batch_sizes)).batch_sizes is p.batch_sizes
        twin = pickle.loads(pickle.dumps(p))
        assert type(twin) is type(p)
        assert lib.equal(twin.data, p.data)
        assert lib.nn.utils.rnn.invert_permutation(None) is None


# -- errors ------------------------------------------------------------------------------------------------------------

REFUSED = [
    "nn.RNN(3, 4, 1, 'sigmoid')", "nn.RNN(3, 4, proj_size=2)", "nn.GRU(3, 4, proj_size=2)", "nn.LSTM(3, 4, proj_size=4)",
    "nn.LSTM(3, 4, proj_size=-1)",
    "nn.LSTM(0, 4)", "nn.LSTM(3, 0)", "nn.LSTM(3, 4, 0)", "nn.LSTM(3.0, 4)", "nn.LSTM(3, '4')", "nn.LSTM(3, 4, bias=1)",
    "nn.LSTM(3, 4, batch_first=1)",
    "nn.LSTM(3, 4, 2, dropout=1.5)", "nn.LSTM(3, 4, 2, dropout=True)", "nn.LSTM(3, 4, 2, dropout='a')",
    "nn.LSTM(3, 4)(T.zeros(3))", "nn.GRU(3, 4)(T.zeros(1, 2, 3, 4))", "nn.RNN(3, 4)(T.zeros(3))",
    "nn.LSTM(3, 4)(T.zeros(5, 2, 6))", "nn.GRU(3, 4)(T.zeros(5, 2, 6))", "nn.GRU(3, 4)(T.zeros(5, 2, 3), T.zeros(1, 3, 4))",
    "nn.GRU(3, 4)(T.zeros(5, 2, 3), T.zeros(2, 2, 4))", "nn.GRU(3, 4)(T.zeros(5, 2, 3), T.zeros(2, 4))",
    "nn.RNN(3, 4)(T.zeros(5, 3), T.zeros(1, 2, 4))",
    "nn.LSTM(3, 4)(T.zeros(5, 2, 3), (T.zeros(1, 2, 5), T.zeros(1, 2, 4)))", "nn.LSTM(3, 4)(T.zeros(5, 2, 3), (T.zeros(1, 2, 4), T.zeros(1, 2, 5)))",
    "nn.LSTM(3, 4)(T.zeros(5, 2, 3), (T.zeros(2, 4), T.zeros(2, 4)))", "nn.LSTM(3, 4)(T.zeros(5, 3), (T.zeros(1, 2, 4), T.zeros(1, 2, 4)))",
    "nn.LSTM(3, 4)(T.zeros(0, 2, 3))", "nn.GRU(3, 4)(rnn.pack_sequence([T.zeros(2, 5)]))",
    "nn.LSTMCell(3, 4)(T.zeros(1, 2, 3))", "nn.GRUCell(3, 4)(T.zeros(2, 3), T.zeros(1, 2, 4))", "nn.RNNCell(3, 4)(T.zeros(2, 5))",
    "nn.LSTMCell(3, 4)(T.zeros(2, 3), (T.zeros(1, 2, 4), T.zeros(2, 4)))", "nn.LSTMCell(3, 4)(T.zeros(2, 3), (T.zeros(2, 5), T.zeros(2, 4)))",
    "nn.GRUCell(3, 4)(T.zeros(2, 3), T.zeros(3, 4))", "nn.RNNCell(3, 4, nonlinearity='sin')(T.zeros(2, 3))",
    "rnn.pack_padded_sequence(T.zeros(5, 3, 2), [2, 5, 3])", "rnn.pack_padded_sequence(T.zeros(5, 3, 2), [5, 3])",
    "rnn.pack_padded_sequence(T.zeros(5, 3, 2), [5, 3, 0])", "rnn.pack_padded_sequence(T.zeros(0, 0, 2), [])",
    "rnn.pack_padded_sequence(T.zeros(5, 3, 2), T.ones(3, 1))", "rnn.pad_sequence(5)", "rnn.pad_sequence([])",
    "rnn.pad_sequence([T.zeros(2, 3), T.zeros(3, 4)])", "rnn.pad_sequence([T.zeros(2)], padding_side='top')",
    "rnn.pad_packed_sequence(rnn.pack_sequence([T.zeros(3, 2)]), total_length=2)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_have_torchs_type(text):
    raised = []
    for lib in BOTH:
        with pytest.raises(Exception) as error:  # noqa: PT011, B017 - which one is the question
            eval(text, {"nn": lib.nn, "T": lib, "rnn": lib.nn.utils.rnn})
        raised.append(error.value)
    assert type(raised[0]) is type(raised[1])
    assert str(raised[0])


SAME_WORDS = [t for t in REFUSED if t not in {  # torch's words are internal there, or name its own types
    "nn.LSTM(3, 4, 2, dropout='a')", "rnn.pack_padded_sequence(T.zeros(5, 3, 2), T.ones(3, 1))",
    "rnn.pack_padded_sequence(T.zeros(5, 3, 2), [5, 3, 0])", "rnn.pad_sequence([T.zeros(2, 3), T.zeros(3, 4)])"}]


@pytest.mark.parametrize("text", SAME_WORDS)
def test_refusals_use_torchs_words(text):
    raised = []
    for lib in BOTH:
        with pytest.raises(Exception) as error:  # noqa: PT011, B017
            eval(text, {"nn": lib.nn, "T": lib, "rnn": lib.nn.utils.rnn})
        raised.append(str(error.value))
    assert raised[0] == raised[1]


def test_a_wrong_type_says_how_to_convert():
    with pytest.raises(ValueError, match=r"RNN input dtype \(ringgrad.float64\) does not match weight dtype \(ringgrad.float32\). Convert input: "):
        ringgrad.nn.LSTM(3, 4)(ringgrad.zeros(5, 2, 3, dtype=ringgrad.float64))


def test_a_packed_sequence_of_the_wrong_width_is_refused():
    """torch's LSTM takes it and gives numbers without meaning."""
    packed = ringgrad.nn.utils.rnn.pack_sequence([ringgrad.zeros(2, 5)])
    with pytest.raises(RuntimeError, match="must be equal to input_size. Expected 3, got 5"):
        ringgrad.nn.LSTM(3, 4)(packed)


def test_a_length_beyond_the_input_is_refused():
    """torch reads past the end there."""
    with pytest.raises(RuntimeError, match="'lengths' names a sequence of 6 steps, but the padded input has 5"):
        ringgrad.nn.utils.rnn.pack_padded_sequence(ringgrad.zeros(5, 2, 3), [6, 2])


# -- a whole model -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_word_model_learns_as_in_torch(kind):
    """Tied embeddings, two layers, the state carried from batch to batch, clipped gradients, plain SGD: the same losses."""
    words = np.random.default_rng(5).integers(0, 17, (5, 7, 3))
    start = np.random.default_rng(6).standard_normal((17, 6)) / 4
    ours, theirs = pair(kind, 6, 6, num_layers=2)
    losses = []
    for lib, rnn in ((ringgrad, ours), (torch, theirs)):
        F, table = lib.nn.functional, lib.nn.Parameter(lib.from_numpy(start.copy()))
        parameters, hidden = [table, *rnn.parameters()], None
        for batch in words:
            x, target = lib.from_numpy(batch[:-1].copy()), lib.from_numpy(batch[1:].copy()).view(-1)
            hidden = None if hidden is None else tuple(h.detach() for h in hidden) if kind == "LSTM" else hidden.detach()
            for p in parameters:
                p.grad = None
            y, hidden = rnn(F.embedding(x, table), hidden)
            loss = F.nll_loss(F.log_softmax(F.linear(y, table).view(-1, 17), dim=1), target)
            loss.backward()
            lib.nn.utils.clip_grad_norm_(parameters, 0.25)
            for p in parameters:
                p.data.add_(p.grad, alpha=-5)
            losses.append(loss.item())
    np.testing.assert_allclose(losses[:5], losses[5:], rtol=1e-9)
    assert losses[0] != losses[4]

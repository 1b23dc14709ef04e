"""Multi-head attention and transformers against real torch: outputs, weights, gradients, masks, and what torch's fast paths give."""
import copy
import itertools
import warnings

import numpy as np
import pytest

import ringgrad

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning"),
              pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),
              pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")]

E, HEADS, T, S, B = 6, 2, 3, 4, 3
BOTH = (ringgrad, torch)
PADDING = {"right": [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]], "inside": [[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]],
           "a whole row": [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]]}
PADDING = {k: np.array(v, bool) for k, v in PADDING.items()}


def pair(make):
    """The same module on both libraries, with ringgrad's weights, in float64."""
    ours, theirs = (make(lib).double() for lib in BOTH)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    rng = np.random.default_rng(1)
    theirs.load_state_dict({k: torch.from_numpy(v.numpy() + 0.1 * rng.standard_normal(tuple(v.shape))) for k, v in ours.state_dict().items()})
    ours.load_state_dict({k: ringgrad.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    return ours, theirs


def run(lib, module, arrays, call, grad):
    tensors = [lib.from_numpy(a.copy()) for a in arrays]
    module.requires_grad_(grad)
    for t in tensors:
        if t.is_floating_point():
            t.requires_grad_(grad)
    outs = call(lib, module, *tensors)
    outs = [t for t in (outs if isinstance(outs, tuple) else (outs,)) if t is not None]
    found = [t.detach().numpy() for t in outs]
    if grad:
        rng = np.random.default_rng(3)
        sum((t * lib.from_numpy(rng.standard_normal(tuple(t.shape)))).sum() for t in outs).backward()
        found += [np.zeros(()) if t.grad is None else t.grad.numpy() for t in (*tensors, *module.parameters())]
    return found


def compare(make, arrays, call, grad=True, train=True):
    """Outputs, and with `grad` the gradients of inputs and parameters.  Without, in evaluation, torch takes its fast paths."""
    ours, theirs = pair(make)
    ours.train(train), theirs.train(train)
    got, want = run(ringgrad, ours, arrays, call, grad), run(torch, theirs, arrays, call, grad)
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert a.shape == b.shape, i
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11, err_msg=f"outputs, then gradients, number {i}")


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s) for s in shapes]


def attn_mask(kind):
    shape = (T, S) if kind.endswith("2") else (B * HEADS, T, S)
    values, = draw(shape)
    if kind.startswith("float"):
        return values
    values = values > 0.5
    values[..., 0] = False
    return values


# -- attention ---------------------------------------------------------------------------------------------------------

MASKS = [(None, None), ("bool2", None), ("float2", "bool"), ("bool3", "bool"), ("float3", "float"), (None, "bool"), ("bool2", "float")]
MADE = [dict(zip(("bias", "add_bias_kv", "add_zero_attn", "widths", "batch_first"), values)) for values in (
    (True, False, False, (), False), (False, False, False, (), True), (True, True, False, (), True), (False, True, True, (), False),
    (True, False, True, (5, 7), True), (False, True, False, (5, E), False), (True, False, False, (E, 7), False))]


@pytest.mark.parametrize("made", MADE, ids=str)
@pytest.mark.parametrize(("mask", "padding"), MASKS)
@pytest.mark.parametrize("ask", ["mean weights", "all weights", "no weights"])
def test_attention(made, mask, padding, ask):
    made = dict(made)
    first, widths = made["batch_first"], made.pop("widths")
    made.update(dict(zip(("kdim", "vdim"), widths)))

    def shape(length, width):
        return (B, length, width) if first else (length, B, width)
    extra = {"attn_mask": None if mask is None else attn_mask(mask),
             "key_padding_mask": None if padding is None else PADDING["right"] if padding == "bool" else -2.5 * PADDING["right"]}
    extra = {k: v for k, v in extra.items() if v is not None}

    def call(lib, module, q, k, v, *rest):
        return module(q, k, v, need_weights=ask != "no weights", average_attn_weights=ask == "mean weights", **dict(zip(extra, rest)))
    arrays = [*draw(shape(T, E), shape(S, made.get("kdim", E)), shape(S, made.get("vdim", E))), *extra.values()]
    compare(lambda lib: lib.nn.MultiheadAttention(E, HEADS, **made), arrays, call)


SHARED = {"all the same": lambda q: (q, q, q), "key is value": lambda q: (q, *[q + 1] * 2), "all different": lambda q: (q, q + 1, q + 2)}


@pytest.mark.parametrize("shared", SHARED)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("shape", ["batch", "one"])
@pytest.mark.parametrize("way", ["train", "eval", "fast"])
def test_self_attention_and_causality(shared, batch_first, shape, way):
    x, = draw((S, E) if shape == "one" else (B, S, E) if batch_first else (S, B, E))
    future = np.triu(np.ones((S, S), bool), 1)
    for causal, weights in itertools.product((False, True), repeat=2):
        compare(lambda lib: lib.nn.MultiheadAttention(E, HEADS, batch_first=batch_first), [x, future],
                lambda lib, module, q, m: module(*SHARED[shared](q), attn_mask=m, need_weights=weights, is_causal=causal),  # noqa: B023
                grad=way != "fast", train=way == "train")


@pytest.mark.parametrize("way", ["train", "eval", "fast"])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("heads", [2, 3])
def test_queries_that_may_look_nowhere(way, weights, heads):
    """nan with weights and on torch's fast path, 0 before the output projection otherwise."""
    def call(lib, module, x, m):
        with lib.no_grad():
            return module(x, x, x, key_padding_mask=m, need_weights=weights)
    compare(lambda lib: lib.nn.MultiheadAttention(E, heads, batch_first=True), [*draw((B, S, E)), PADDING["a whole row"]], call, False,
            way == "train")


def test_dropout_of_attention_weights():
    ringgrad.manual_seed(3)
    attention = ringgrad.nn.MultiheadAttention(4, 1, dropout=0.5)
    x = ringgrad.randn(50, 2, 4)
    _, w = attention(x, x, x)
    zeros = (w.detach().numpy() == 0).mean()
    assert 0.4 < zeros < 0.6
    outputs = [attention(x, x, x, need_weights=False)[0].detach().numpy() for _ in range(2)]
    assert not np.array_equal(*outputs)
    attention.eval()
    assert (attention(x, x, x)[1].detach().numpy() > 0).all()


def test_static_keys_and_values():
    arrays = draw((T, B, E), (B * HEADS, 5, E // HEADS), (B * HEADS, 5, E // HEADS))

    def call(lib, module, q, k, v):
        return lib.nn.functional.multi_head_attention_forward(
            q, q, q, E, HEADS, module.in_proj_weight, module.in_proj_bias, None, None, True, 0.0, module.out_proj.weight, module.out_proj.bias,
            static_k=k, static_v=v, need_weights=True)
    compare(lambda lib: lib.nn.MultiheadAttention(E, HEADS), arrays, call)


def test_merged_masks():
    x, = draw((B, S, E))
    for mask, padding in ((None, None), (None, "right"), ("two", None), ("two", "right"), ("three", "right")):
        found = []
        for lib in BOTH:
            m = {None: None, "two": draw((S, S))[0], "three": draw((B * HEADS, S, S))[0]}[mask]
            p = None if padding is None else lib.from_numpy(PADDING[padding] * -1.0)
            merged, kind = lib.nn.MultiheadAttention(E, HEADS).merge_masks(None if m is None else lib.from_numpy(m), p, lib.from_numpy(x))
            found.append((kind, None if merged is None else merged.numpy()))
        assert found[0][0] == found[1][0]
        np.testing.assert_array_equal(found[0][1], found[1][1])


def test_second_derivatives():
    attention = ringgrad.nn.MultiheadAttention(4, 2).double()
    layer = ringgrad.nn.TransformerEncoderLayer(4, 2, 3, dropout=0.0, activation="gelu").double()
    x = ringgrad.from_numpy(*draw((3, 1, 4))).requires_grad_()
    for weights in (True, False):
        assert ringgrad.autograd.gradgradcheck(lambda x: attention(x, x, x, need_weights=weights)[0], (x,))  # noqa: B023
    assert ringgrad.autograd.gradgradcheck(lambda x: layer(x), (x,))


# -- transformers ------------------------------------------------------------------------------------------------------

ACTIVATIONS = {"relu": lambda lib: "relu", "gelu": lambda lib: "gelu", "a function": lambda lib: lib.tanh, "a module": lambda lib: lib.nn.GELU()}
OPTIONS = [dict(zip(("norm_first", "activation", "batch_first", "bias"), v)) for v in (
    (False, "relu", True, True), (True, "gelu", False, True), (False, "a function", False, False), (True, "a module", True, True),
    (False, "gelu", True, False))]
options = pytest.mark.parametrize("made", OPTIONS, ids=str)
ways = pytest.mark.parametrize("way", ["train", "eval", "fast"])


def arguments(lib, made):
    return (6, 2, 8, 0.0, ACTIVATIONS[made["activation"]](lib), 1e-4, made["batch_first"], made["norm_first"], made["bias"])


def batch(made, *lengths):
    return draw(*((B, n, E) if made["batch_first"] else (n, B, E) for n in lengths))


def causal(lib, size, kind):
    mask = None if kind is None else lib.nn.Transformer.generate_square_subsequent_mask(size, dtype=lib.float64)
    return mask != 0 if kind == "bool" else mask


@options
@ways
@pytest.mark.parametrize("padding", [None, *PADDING])
@pytest.mark.parametrize("mask", [None, "float", "bool"])
def test_encoder(made, way, padding, mask):
    if padding == "a whole row" and way != "fast":
        way = "no gradient"  # torch's gradients are nan there, which reach every weight
    arrays = [*batch(made, S), *([] if padding is None else [PADDING[padding]])]

    def call(lib, module, x, p=None):
        name = "mask" if isinstance(module, lib.nn.TransformerEncoder) else "src_mask"
        return module(x, src_key_padding_mask=p, **{name: causal(lib, S, mask)})
    grad, train = way in ("train", "eval"), way in ("train", "no gradient")
    compare(lambda lib: lib.nn.TransformerEncoderLayer(*arguments(lib, made)), arrays, call, grad, train)
    compare(lambda lib: lib.nn.TransformerEncoder(lib.nn.TransformerEncoderLayer(*arguments(lib, made)), 2, lib.nn.LayerNorm(E)), arrays, call,
            grad, train)


@options
@ways
@pytest.mark.parametrize("mask", [None, "float"])
def test_decoder(made, way, mask):
    arrays = [*batch(made, T, S), PADDING["inside"]]

    def call(lib, module, x, memory, p):
        return module(x, memory, tgt_mask=causal(lib, T, mask), memory_key_padding_mask=p)
    compare(lambda lib: lib.nn.TransformerDecoderLayer(*arguments(lib, made)), arrays, call, way != "fast", way == "train")
    compare(lambda lib: lib.nn.TransformerDecoder(lib.nn.TransformerDecoderLayer(*arguments(lib, made)), 2), arrays, call, way != "fast",
            way == "train")


@options
@ways
def test_transformer(made, way):
    arrays = [*batch(made, S, T), PADDING["right"]]

    def call(lib, module, src, tgt, p):
        return module(src, tgt, tgt_mask=causal(lib, T, "float"), src_key_padding_mask=p, memory_key_padding_mask=p)

    def make(lib):
        d, heads, wide, drop, activation, *rest = arguments(lib, made)
        return lib.nn.Transformer(d, heads, 1, 2, wide, drop, activation, None, None, *rest)
    compare(make, arrays, call, way != "fast", way == "train")


def test_sequences_without_a_batch():
    compare(lambda lib: lib.nn.Transformer(E, 2, 1, 1, 8, 0.0), draw((S, E), (T, E)), lambda lib, module, s, t: module(s, t))


def test_padded_places_are_zero_where_torch_leaves_them_out():
    """In evaluation, without gradients and padded on the right; the last normalisation sees the zeros."""
    layer = ringgrad.nn.TransformerEncoderLayer(E, HEADS, 8, batch_first=True)
    right = ringgrad.from_numpy(PADDING["right"])
    x = ringgrad.from_numpy(draw((B, S, E))[0].astype("float32"))
    for nested, check, padding, zero in ((True, True, right, True), (False, True, right, False), (True, True, right.flip(1), False),
                                         (True, False, right.flip(1), True)):
        encoder = ringgrad.nn.TransformerEncoder(layer, 1, enable_nested_tensor=nested, mask_check=check).eval()
        assert encoder.use_nested_tensor == nested
        with ringgrad.no_grad():
            y = encoder(x, src_key_padding_mask=padding).numpy()
        assert (y[padding.numpy()] == 0).all() == zero
        assert (encoder(x, src_key_padding_mask=padding).detach().numpy()[padding.numpy()] != 0).all()  # a gradient is wanted


def test_hooks_see_every_part_in_evaluation():
    encoder = ringgrad.nn.TransformerEncoder(ringgrad.nn.TransformerEncoderLayer(E, HEADS, 8, batch_first=True), 2).eval()
    seen = []
    for name, module in encoder.named_modules():
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    with ringgrad.no_grad():
        encoder(ringgrad.randn(B, S, E))
    assert {"", "layers.0.self_attn", "layers.1.linear2", "layers.1.norm1"} <= set(seen)


def test_layers_are_copies_of_their_own():
    layer = ringgrad.nn.TransformerEncoderLayer(E, HEADS, 8)
    encoder = ringgrad.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    a, b = encoder.layers
    assert a is not b
    assert a is not layer
    np.testing.assert_array_equal(a.linear1.weight.detach().numpy(), layer.linear1.weight.detach().numpy())
    assert len({id(p) for p in [*layer.parameters(), *encoder.parameters()]}) == 3 * len(list(layer.parameters()))
    twin = copy.deepcopy(encoder)
    x = ringgrad.randn(S, B, E)
    encoder.eval(), twin.eval()
    np.testing.assert_array_equal(twin(x).detach().numpy(), encoder(x).detach().numpy())


def test_initial_values():
    """Matrices of a Transformer are uniform in Glorot's bounds, attention's biases 0."""
    model = ringgrad.nn.Transformer(32, 4, 1, 1, 64)
    for name, p in model.named_parameters():
        values = p.detach().numpy()
        if p.ndim > 1:
            bound = np.sqrt(6 / sum(p.shape))
            assert 0.9 * bound < np.abs(values).max() <= bound, name
        elif "attn" in name:
            assert (values == 0).all(), name


def test_causal_mask():
    for lib in BOTH:
        mask = lib.nn.Transformer.generate_square_subsequent_mask(3)
        np.testing.assert_array_equal(mask.numpy(), [[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]])
        assert str(lib.nn.Transformer.generate_square_subsequent_mask(2, "cpu", lib.float64).dtype).endswith("float64")


NOT_NESTED = ["nn.TransformerEncoderLayer(6, 2)", "nn.TransformerEncoderLayer(6, 2, batch_first=True, norm_first=True)", "nn.Linear(2, 2)",
              "nn.TransformerEncoderLayer(6, 3, batch_first=True)", "nn.TransformerEncoderLayer(6, 2, batch_first=True, bias=False)",
              "nn.TransformerEncoderLayer(6, 2, batch_first=True, activation=nn.Tanh())", "nn.TransformerEncoderLayer(6, 2, batch_first=True)"]


@pytest.mark.parametrize("text", NOT_NESTED)
def test_why_padding_is_not_left_out(text):
    said = []
    for lib in BOTH:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            encoder = lib.nn.TransformerEncoder(eval(text, {"nn": lib.nn}), 1)
        said.append(([str(w.message) for w in caught], encoder.use_nested_tensor, encoder.enable_nested_tensor))
    assert said[0] == said[1]


ATTENTION = "nn.MultiheadAttention(6, 2)"
REFUSED = [
    "nn.MultiheadAttention(0, 2)", "nn.MultiheadAttention(6, 0)", "nn.MultiheadAttention(6, 4)",
    f"{ATTENTION}(Z(3), Z(3), Z(3))", f"{ATTENTION}(Z(3, 2, 6), Z(3, 6), Z(3, 6))", f"{ATTENTION}(Z(3, 6), Z(3, 2, 6), Z(3, 2, 6))",
    f"{ATTENTION}(Z(3, 2, 4), Z(3, 2, 4), Z(3, 2, 4))", f"{ATTENTION}(Z(3, 2, 6), Z(4, 2, 6), Z(5, 2, 6))",
    f"{ATTENTION}(*[Z(3, 2, 6)] * 3, key_padding_mask=Z(3) > 0)", f"{ATTENTION}(*[Z(3, 2, 6)] * 3, key_padding_mask=Z(3, 3) > 0)",
    f"{ATTENTION}(*[Z(3, 2, 6)] * 3, key_padding_mask=Z(2, 4) > 0)", f"{ATTENTION}(*[Z(3, 6)] * 3, key_padding_mask=Z(2, 3) > 0)",
    f"{ATTENTION}(*[Z(3, 2, 6)] * 3, attn_mask=Z(3))", f"{ATTENTION}(*[Z(3, 2, 6)] * 3, attn_mask=Z(3, 4))",
    f"{ATTENTION}(*[Z(3, 2, 6)] * 3, attn_mask=Z(2, 3, 3))", f"{ATTENTION}(*[Z(3, 6)] * 3, attn_mask=Z(3, 3, 3))",
    f"{ATTENTION}(*[Z(3, 2, 6)] * 3, attn_mask=Z(3, 3).long())", f"{ATTENTION}(*[Z(3, 2, 6)] * 3, is_causal=True)",
    "nn.MultiheadAttention(6, 2, kdim=4)(Z(3, 2, 6), Z(3, 2, 5), Z(3, 2, 6))",
    "nn.MultiheadAttention(6, 2, kdim=4)(Z(3, 2, 6), Z(3, 2, 4), Z(4, 2, 6))",
    "nn.TransformerEncoderLayer(6, 2, activation='tanh')", "nn.TransformerDecoderLayer(6, 2, activation='tanh')",
    "nn.Transformer(6, 2, 1, 1)(Z(3, 2, 6), Z(3, 4, 6))", "nn.Transformer(6, 2, 1, 1)(Z(3, 2, 6), Z(3, 2, 4))",
    "nn.Transformer(6, 2, 1, 1, batch_first=True)(Z(3, 2, 6), Z(2, 3, 6))",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_have_torchs_type_and_words(text):
    raised = []
    for lib in BOTH:
        with pytest.raises(Exception) as error:  # noqa: PT011, B017 - which one is the question
            eval(text, {"nn": lib.nn, "Z": lib.zeros})
        raised.append(error.value)
    assert type(raised[0]) is type(raised[1])
    assert str(raised[0]) == str(raised[1]).replace("torch.Size", "ringgrad.Size")


def test_masks_of_two_types_are_warned_about():
    x = ringgrad.zeros(S, B, E)
    with pytest.warns(UserWarning, match="Support for mismatched key_padding_mask and attn_mask is deprecated"):
        ringgrad.nn.MultiheadAttention(E, HEADS)(x, x, x, key_padding_mask=ringgrad.from_numpy(PADDING["right"]), attn_mask=ringgrad.zeros(S, S))


def test_where_torch_keeps_the_names():
    assert ringgrad.nn.modules.activation.MultiheadAttention is ringgrad.nn.MultiheadAttention
    assert type(ringgrad.nn.MultiheadAttention(4, 2).out_proj).__name__ == "NonDynamicallyQuantizableLinear"
    assert ringgrad.nn.modules.linear.NonDynamicallyQuantizableLinear


# -- nn.attention ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sizes", [(4, 6), (5, 5), (6, 4)], ids=str)
@pytest.mark.parametrize("name", ["causal_upper_left", "causal_lower_right"])
@pytest.mark.filterwarnings("ignore:Lower right causal bias will produce NaNs:UserWarning")
def test_causal_biases(name, sizes):
    """Against torch with the mask written out: importing its own file changes the environment."""
    lower = name == "causal_lower_right"
    bias = getattr(ringgrad.nn.attention.bias, name)(*sizes)
    assert (int(bias.variant), bias.seq_len_q, bias.seq_len_kv) == (1 + lower, *sizes)
    mask = np.array([[j <= i + (sizes[1] - sizes[0]) * lower for j in range(sizes[1])] for i in range(sizes[0])])
    found = []
    for lib, m in zip(BOTH, (bias, torch.from_numpy(mask)), strict=True):
        q, k = (lib.from_numpy(a) for a in draw((1, 2, sizes[0], 8), (1, 2, sizes[1], 8)))
        found.append(lib.nn.functional.scaled_dot_product_attention(q, k, k, m).numpy())
    np.testing.assert_allclose(*found, rtol=1e-11, atol=1e-12)


def test_causal_biases_that_see_nothing_are_warned_about():
    with pytest.warns(UserWarning, match="Lower right causal bias will produce NaNs"):
        ringgrad.nn.attention.bias.causal_lower_right(5, 3)
    with pytest.raises(AssertionError, match="causal_upper_left only supports 2D tensors"):
        ringgrad.nn.attention.bias.causal_upper_left(5)
    with pytest.raises(AssertionError, match="variant must be a CausalVariant, got int"):
        ringgrad.nn.attention.bias.CausalBias(1, 2, 3)


def test_kernels_of_attention_are_named():
    q = ringgrad.randn(1, 2, 3, 4)
    want = ringgrad.nn.functional.scaled_dot_product_attention(q, q, q).numpy()
    backends = ringgrad.nn.attention.SDPBackend
    for chosen in (backends.MATH, [backends.FLASH_ATTENTION, backends.EFFICIENT_ATTENTION]):
        with ringgrad.nn.attention.sdpa_kernel(chosen) as nothing:
            np.testing.assert_array_equal(ringgrad.nn.functional.scaled_dot_product_attention(q, q, q).numpy(), want)
        assert nothing == {}
    assert {m.name: m.value for m in backends} == {k: int(v) for k, v in torch.nn.attention.SDPBackend.__members__.items()}
    assert str(backends.MATH) == str(torch.nn.attention.SDPBackend.MATH)
    with pytest.raises(AssertionError, match="Backend must be an instance of SDPBackend or a list"), ringgrad.nn.attention.sdpa_kernel("math"):
        pass

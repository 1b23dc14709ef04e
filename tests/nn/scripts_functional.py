"""Functions of nn.functional in all their ways: in place, per dimension, with options, refused."""
from ..autograd.script import Script

BEGIN = """
        import warnings
        F = T.nn.functional
        def line(*shape):
            n = 1
            for s in shape:
                n *= s
            return T.linspace(-2, 3, n).reshape(shape) if shape else T.tensor(0.5)
        def graded(call, *tensors):
            leaves = [t.clone().requires_grad_() for t in tensors]
            y = call(*leaves)
            (y * T.linspace(0, 1, y.numel()).reshape(y.shape)).sum().backward()
            return y, [t.grad for t in leaves]
        def quietly(call, *args, **kwargs):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                return call(*args, **kwargs), [w.category.__name__ for w in caught]
"""


def same(title, *expressions):
    return Script(title, BEGIN, "; ".join(expressions))


def refused(title, text, words):
    return Script(title, BEGIN + f"        {text}", raises=words)


IN_PLACE = ["relu(x, {})", "relu6(x, {})", "hardtanh(x, -1.0, 0.5, {})", "leaky_relu(x, 0.2, {})", "elu(x, 0.7, {})", "selu(x, {})", "celu(x, 0.5, {})",
            "silu(x, {})", "mish(x, {})", "hardsigmoid(x, {})", "hardswish(x, {})", "threshold(x, 0.1, 5.0, {})", "rrelu(x, 0.1, 0.3, False, {})",
            "dropout(x, 0.0, True, {})", "dropout(x, 1.0, True, {})", "dropout(x, 0.5, False, {})", "alpha_dropout(x, 1.0, True, {})",
            "feature_alpha_dropout(x, 0.5, False, {})"]
TWINS = ["relu_(x)", "hardtanh_(x)", "leaky_relu_(x, 0.3)", "elu_(x)", "selu_(x)", "celu_(x, 2.0)", "threshold_(x, 0.0, -1.0)", "rrelu_(x)"]
LAYERS = ["ReLU(inplace=True)", "ReLU6(True)", "Hardtanh(inplace=True)", "LeakyReLU(0.2, inplace=True)", "ELU(inplace=True)", "SELU(True)", "CELU(1.0, True)",
          "SiLU(True)", "Mish(True)", "Hardsigmoid(True)", "Hardswish(True)", "Threshold(0.1, 2, inplace=True)", "Dropout(0.0, inplace=True)"]
WIDTHS = [("(1, 2)", "2, 3, 4"), ("(0, 1)", "3, 4"), ("(1, 0, 2, 1)", "1, 2, 4, 5"), ("(1, 2, 0, 1)", "2, 4, 5"), ("(1, 1, 2, 0, 0, 1)", "1, 2, 3, 4, 5"),
          ("(1, 0, 0, 2, 1, 1)", "2, 3, 4, 5")]

SCRIPTS = [
    *(Script(f"F.{call.format('inplace=True')}", BEGIN + f"""
        x = line(3, 4)
        y = F.{call.format("inplace=True")}
        z, grads = graded(lambda t: (lambda x: F.{call.format("inplace=True")})(t * 1), line(3, 4))
        """, "y is x; x; z; grads") for call in IN_PLACE),
    *(Script(f"F.{call}", BEGIN + f"""
        x = line(3, 4)
        y = F.{call}
        """, "y is x; x") for call in TWINS),
    *(Script(f"nn.{text}", BEGIN + f"""
        m, x = T.nn.{text}.eval(), line(3, 4)
        m(x)
        """, "repr(m); x") for text in LAYERS),
    *(same(f"padding by {widths} of ({shape}), {mode}", f"graded(lambda x: F.pad(x, {widths}, {mode!r}), line({shape}))")
      for widths, shape in WIDTHS for mode in ("reflect", "replicate", "circular")),
    same("padding with a constant", "F.pad(line(2, 3), (1, -1, 0, 2), value=7.0)", "F.pad(line(2, 3, 2, 2), (1, 0), 'constant', -1)"),
    refused("padding by too much", "F.pad(line(1, 2, 3), (3, 0), 'reflect')", "Padding size should be less than the corresponding input dim"),
    refused("padding round and round", "F.pad(line(1, 2, 3), (4, 0), 'circular')", "wrapping around more than once"),
    refused("padding in a way that is none", "F.pad(line(1, 2, 3), (1, 0), 'mirror')", "Unrecognised padding mode mirror"),
    refused("padding a matrix on four sides by reflection", "F.pad(line(2, 3), (1, 0, 1, 0), 'reflect')", "non-constant padding"),
    same("normalize", *(f"graded(lambda x: F.normalize(x{how}), line(3, 4, 2))" for how in (
        "", ", p=1.0", ", dim=0", ", p=3.0, dim=-1", ", dim=(1, 2)", ", eps=10.0", ", p=float('inf')")), "F.normalize(T.zeros(2, 3))"),
    Script("normalize into a tensor", BEGIN + """
        out = T.empty(3, 4)
        y = F.normalize(line(3, 4), out=out)
        """, "y is out; out"),
    same("glu", "graded(lambda x: F.glu(x), line(3, 4))", "graded(lambda x: F.glu(x, 0), line(4, 3))"),
    refused("glu of an odd size", "F.glu(line(3, 3))", "Halving dimension must be even, but dimension"),
    same("one_hot", "F.one_hot(T.tensor([[0, 2], [1, 1]]))", "F.one_hot(T.tensor(3), 5)", "F.one_hot(T.tensor([], dtype=T.int64), 4)"),
    refused("one_hot of negative classes", "F.one_hot(T.tensor([-1]))", "Class values must be non-negative"),
    refused("one_hot of floats", "F.one_hot(T.tensor([1.0]))", "one_hot is only applicable to index tensor"),
    same("pdist", *(f"graded(lambda x: F.pdist(x, {p}), line(4, 3) ** 2)" for p in ("2.0", "1.0", "3.0", "float('inf')", "0.5")), "F.pdist(line(1, 3))"),
    same("cosine_similarity", "graded(lambda x, y: F.cosine_similarity(x, y), line(3, 4), line(3, 4) ** 2)",
         "F.cosine_similarity(T.zeros(2, 3), line(2, 3))", "F.cosine_similarity(line(2, 1, 3), line(4, 3), dim=-1)"),
    same("pairwise_distance", "graded(lambda x, y: F.pairwise_distance(x, y), line(3, 4), line(3, 4) ** 2)", "F.pairwise_distance(line(4), line(4) * 2)",
         "F.pairwise_distance(line(3, 4), line(1, 4), p=1.0, keepdim=True)"),
    same("local_response_norm", *(f"graded(lambda x: F.local_response_norm(x, {how}), line(2, 5, 3))" for how in ("2", "3, 0.5, 0.6, 2.0", "5")),
         "F.local_response_norm(line(1, 4, 2, 3), 3)", "F.local_response_norm(line(1, 3, 2, 2, 2), 2)"),
    refused("local_response_norm of a matrix", "F.local_response_norm(line(2, 3), 2)", "Expected 3D or higher dimensionality "),
    same("softmax and its kin", "F.softmax(line(2, 3), -1, dtype=T.float64)", "F.softmin(line(2, 3), dim=0)", "F.log_softmax(line(2, 3), 1, dtype=T.float64)"),
    same("softmax without a dimension", "[quietly(F.softmax, line(2, 3)), quietly(F.log_softmax, line(2, 3, 2)), quietly(F.softmin, line(4))]"),
    Script("gumbel_softmax", BEGIN + """
        T.manual_seed(3)
        soft, hard = F.gumbel_softmax(line(5, 4), tau=0.5), F.gumbel_softmax(line(5, 4), hard=True, dim=0)
        x = line(5, 4).requires_grad_()
        (F.gumbel_softmax(x, hard=True) * line(5, 4)).sum().backward()
        """, "soft.sum(-1); hard.sum(0); sorted(set(hard.detach().round().flatten().tolist())); bool((x.grad != 0).any())"),
    same("older names of plain functions", "F.tanh(line(3))", "F.sigmoid(line(3))"),
    same("channels shuffled", "F.channel_shuffle(line(1, 6, 2), 3)", "F.native_channel_shuffle(line(2, 4, 1, 2), 2)"),
    refused("channels that groups do not divide", "F.channel_shuffle(line(1, 5, 2), 3)", "must be divisible by groups"),
    same("windows as columns and back", "graded(lambda x: F.unfold(x, (2, 3), dilation=(2, 1), padding=1, stride=(1, 2)), line(2, 2, 5, 6))",
         "F.unfold(line(2, 4, 4), 2)", "graded(lambda x: F.fold(x, (4, 5), 2, padding=1, stride=2), line(1, 8, 9))", "F.fold(line(4, 6), (3, 4), 2)"),
    refused("columns of no window", "F.fold(line(1, 5, 4), (3, 3), 2)", "divisible by the product of kernel_size"),
    refused("columns of too few windows", "F.fold(line(1, 4, 3), (3, 3), 2)", "expected size of input's dimension 2 to match"),
    *(same(f"resizing: {mode}, {how}", f"graded(lambda x: F.interpolate(x, {how}, mode={mode!r}), line({shape}))") for mode, how, shape in (
        ("nearest", "size=5", "1, 2, 3"), ("nearest", "scale_factor=(1.5, 0.7)", "1, 2, 4, 5"), ("nearest", "scale_factor=2", "1, 1, 2, 2, 3"),
        ("nearest-exact", "size=7", "1, 2, 3"), ("nearest-exact", "scale_factor=1.7", "1, 1, 4, 5"), ("nearest-exact", "size=(3, 1, 5)", "1, 1, 2, 2, 3"),
        ("linear", "scale_factor=1.6", "1, 2, 5"), ("linear", "scale_factor=1.6, recompute_scale_factor=True", "1, 2, 5"),
        ("linear", "size=8, align_corners=True", "1, 2, 5"), ("bilinear", "scale_factor=(0.6, 2.2)", "1, 1, 5, 4"),
        ("bilinear", "scale_factor=(0.6, 2.2), recompute_scale_factor=True", "1, 1, 5, 4"), ("bicubic", "scale_factor=1.3", "1, 1, 5, 4"),
        ("bicubic", "size=(3, 7), align_corners=True", "1, 1, 5, 4"), ("trilinear", "scale_factor=1.5", "1, 1, 2, 3, 2"),
        ("trilinear", "size=(3, 4, 5), align_corners=True", "1, 1, 2, 3, 2"), ("area", "size=3", "1, 1, 7"), ("area", "scale_factor=0.4", "1, 1, 7, 6"),
        ("area", "size=(2, 2, 1)", "1, 1, 3, 5, 2"))),
    refused("resizing a signal like an image", "F.interpolate(line(1, 2, 3), 4, mode='bilinear')", "(Got 3D input, but bilinear|takes inputs of)"),
    refused("corners of nearest neighbours", "F.interpolate(line(1, 2, 3), 4, align_corners=True)", "align_corners option can only be set"),
    *(refused(f"{name} of a probability that is none", f"F.{name}(line(2, 3, 4), 1.5)", "dropout probability has to be between 0 and 1")
      for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")),
    Script("dropout of whole channels", BEGIN + """
        T.manual_seed(1)
        kept = []
        for name, shape in (("dropout1d", (40, 5, 3)), ("dropout2d", (40, 5, 3, 2)), ("dropout3d", (40, 5, 3, 2, 2)), ("feature_alpha_dropout", (40, 5, 3))):
            y = getattr(F, name)(T.ones(*shape), 0.5, True).flatten(2)
            kept.append((bool((y == y[:, :, :1]).all()), len(set(y.flatten().tolist())), tuple(y.shape)))
        """, "kept"),
    Script("alpha dropout keeps mean and variance", BEGIN + """
        T.manual_seed(1)
        y = F.alpha_dropout(T.randn(20000), 0.3, training=True)
        """, "abs(y.mean().item()) < 0.03; abs(y.var().item() - 1) < 0.05"),
    same("instance norm by function", "graded(lambda x, w, b: F.instance_norm(x, weight=w, bias=b), line(2, 3, 5) ** 2, line(3), line(3))"),
    Script("instance norm moves running statistics", BEGIN + """
        mean, var = T.zeros(3), T.ones(3)
        y = F.instance_norm(line(2, 3, 5) ** 2, mean, var, momentum=0.3)
        z = F.instance_norm(line(2, 3, 5), mean, var, use_input_stats=False)
        """, "y; z; mean; var"),
]

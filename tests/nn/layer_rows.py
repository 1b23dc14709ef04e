"""One row per layer and way of using it: a constructor on `nn`, the inputs, and what is special about it.

Each row is built on ringgrad and on torch from the same text, so that names, defaults and order of arguments are tested too.
"""
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A layer and its inputs.

    text     the constructor call, on `nn`
    inputs   shapes of standard normal inputs; ("int", high, *shape) for whole numbers below `high`, ("unit", *shape) for [0.05, 0.95);
             ("values", them)
    steps    calls in training mode before the comparison ends (running statistics move)
    train    compare in training mode too (False where training is random)
    grads    inputs that take gradients, by position; None: all floating ones
    slack    factor on the tolerance
    """

    text: str
    inputs: tuple
    steps: int = 2
    train: bool = True
    grads: tuple | None = None
    slack: float = 1.0

    def __str__(self):
        shapes = ", ".join("values" if s[:1] == ("values",) else "x".join(map(str, s)) for s in self.inputs)
        return f"{self.text} on {shapes}"

    def arrays(self, seed=0):
        """The inputs, in float64 and int64."""
        rng = np.random.default_rng([seed, len(self.text)])
        out = []
        for shape in self.inputs:
            if shape and shape[0] == "int":
                out.append(rng.integers(0, shape[1], shape[2:]))
            elif shape and shape[0] == "unit":
                out.append(rng.uniform(0.05, 0.95, shape[1:]))
            elif shape and shape[0] == "values":
                out.append(np.array(shape[1]))
            elif shape and shape[0] == "sign":
                out.append(np.where(rng.random(shape[1:]) < 0.5, -1.0, 1.0))
            else:
                out.append(rng.standard_normal(shape))
        return out

    def takes_gradient(self, arrays):
        """Positions of the inputs whose gradients are compared."""
        floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
        return floating if self.grads is None else [i for i in floating if i in self.grads]


def rows(*texts, inputs, **fields):
    return [Row(text, inputs, **fields) for text in texts]


IMAGE, SIGNAL = (2, 4, 7, 6), (2, 4, 9)
FLAT = (3, 4)

ACTIVATIONS = rows(
    "nn.ReLU()", "nn.ReLU(inplace=False)", "nn.ReLU6()", "nn.LeakyReLU()", "nn.LeakyReLU(0.2)", "nn.PReLU()", "nn.PReLU(4)", "nn.ELU()",
    "nn.ELU(0.7)", "nn.SELU()", "nn.CELU(0.5)", "nn.GELU()", "nn.GELU('tanh')", "nn.SiLU()", "nn.Mish()", "nn.Sigmoid()", "nn.Tanh()",
    "nn.Softmax(dim=1)", "nn.Softmax(-1)", "nn.LogSoftmax(dim=-1)", "nn.Softmin(dim=0)", "nn.Softplus()", "nn.Softplus(2, 1)", "nn.Softsign()",
    "nn.Hardtanh()", "nn.Hardtanh(-0.5, 0.7)", "nn.Hardswish()", "nn.LogSigmoid()", "nn.Threshold(0.1, 20)", "nn.Tanhshrink()", "nn.GLU()",
    "nn.GLU(0)", "nn.Hardshrink()", "nn.Softshrink(0.3)", "nn.Identity(3, unused=4)", inputs=((4, 4, 6),), slack=1e3)

HARDSIGMOID = rows("nn.Hardsigmoid()", inputs=(FLAT,), slack=1e6)  # torch's gradient multiplies by 1/6 rounded to float32

LINEAR = [
    *rows("nn.Linear(4, 5)", "nn.Linear(4, 5, bias=False)", "nn.Linear(in_features=4, out_features=1)", inputs=(FLAT,)),
    *rows("nn.Linear(4, 5)", inputs=((2, 3, 4),)),
    *rows("nn.Linear(4, 5)", inputs=((4,),)),
    *rows("nn.Bilinear(4, 3, 5)", "nn.Bilinear(4, 3, 5, bias=False)", inputs=(FLAT, (3, 3))),
    *rows("nn.Flatten()", "nn.Flatten(0, 1)", "nn.Unflatten(1, (2, 2))", inputs=(IMAGE,)),
    *rows("nn.Embedding(6, 5)", "nn.Embedding(6, 5, padding_idx=2)", "nn.Embedding(6, 5, padding_idx=-1)", "nn.Embedding(6, 5, max_norm=1.5)",
          "nn.Embedding(6, 5, max_norm=1.0, norm_type=1)", "nn.Embedding(6, 5, scale_grad_by_freq=True)", inputs=(("int", 6, 2, 8),)),
]

CONVOLUTIONS = [
    *rows("nn.Conv2d(4, 6, 3)", "nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0))", "nn.Conv2d(4, 6, 3, dilation=2, bias=False)",
          "nn.Conv2d(4, 6, 3, padding='same')", "nn.Conv2d(4, 6, (2, 4), padding='same', dilation=(1, 1))", "nn.Conv2d(4, 6, 3, padding='valid')",
          "nn.Conv2d(4, 6, 3, groups=2, padding=1)", "nn.Conv2d(4, 8, 3, groups=4)", "nn.Conv2d(4, 6, 1)",
          "nn.Conv2d(4, 6, 3, padding=1, padding_mode='reflect')", "nn.Conv2d(4, 6, 3, padding=2, padding_mode='replicate')",
          "nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode='circular')", "nn.Conv2d(4, 6, 4, padding='same', padding_mode='reflect')",
          "nn.ConvTranspose2d(4, 6, 3)", "nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)",
          "nn.ConvTranspose2d(4, 6, (2, 3), groups=2, dilation=(1, 2), bias=False)", inputs=(IMAGE,), slack=10),
    *rows("nn.Conv2d(4, 6, 3)", inputs=((4, 7, 6),), slack=10),
    *rows("nn.Conv1d(4, 6, 3)", "nn.Conv1d(4, 6, 4, stride=2, padding=3)", "nn.Conv1d(4, 6, 3, padding='same', dilation=2, groups=2)",
          "nn.Conv1d(4, 6, 3, padding=2, padding_mode='circular')", "nn.ConvTranspose1d(4, 6, 3, stride=3)", inputs=(SIGNAL,), slack=10),
    *rows("nn.Conv3d(2, 3, 2)", "nn.Conv3d(2, 4, (1, 2, 3), stride=(1, 2, 1), padding=1, groups=2)", "nn.ConvTranspose3d(2, 3, 2, stride=2)",
          inputs=((2, 2, 4, 3, 5),), slack=10),
]

POOLING = [
    *rows("nn.MaxPool2d(2)", "nn.MaxPool2d(3, stride=2, padding=1)", "nn.MaxPool2d((2, 3), (1, 2), ceil_mode=True)",
          "nn.MaxPool2d(2, 1, dilation=(2, 1))", "nn.MaxPool2d(2, return_indices=True)", "nn.MaxPool2d(3, 2, 1, 2, True, True)",
          "nn.AvgPool2d(2)", "nn.AvgPool2d(3, 2, 1)", "nn.AvgPool2d((2, 3), 2, (1, 1), ceil_mode=True)",
          "nn.AvgPool2d(3, 2, 1, count_include_pad=False)", "nn.AvgPool2d(2, divisor_override=3)", "nn.AdaptiveAvgPool2d(1)",
          "nn.AdaptiveAvgPool2d((3, 2))", "nn.AdaptiveAvgPool2d((None, 5))", "nn.AdaptiveMaxPool2d((3, 2))",
          "nn.AdaptiveMaxPool2d(2, return_indices=True)", "nn.LPPool2d(2, 3)", inputs=(IMAGE,)),
    *rows("nn.MaxPool2d(2)", "nn.AvgPool2d(2)", "nn.AdaptiveAvgPool2d(2)", "nn.AdaptiveMaxPool2d(2)", inputs=((4, 7, 6),)),
    *rows("nn.MaxPool1d(2)", "nn.MaxPool1d(3, 2, 1, return_indices=True)", "nn.AvgPool1d(3, 2, 1)", "nn.AvgPool1d((2,), ceil_mode=True)",
          "nn.AdaptiveAvgPool1d(4)", "nn.AdaptiveAvgPool1d(3)", "nn.AdaptiveMaxPool1d(4)", inputs=(SIGNAL,)),
    *rows("nn.MaxPool3d(2)", "nn.AvgPool3d(2)", "nn.AdaptiveAvgPool3d(2)", "nn.AdaptiveAvgPool3d((3, 2, 4))", "nn.AdaptiveMaxPool3d(2)",
          inputs=((2, 2, 4, 3, 5),)),
]

NORMS = [
    *rows("nn.BatchNorm2d(4)", "nn.BatchNorm2d(4, eps=1e-3, momentum=0.3)", "nn.BatchNorm2d(4, momentum=None)", "nn.BatchNorm2d(4, affine=False)",
          "nn.BatchNorm2d(4, track_running_stats=False)", "nn.BatchNorm2d(4, affine=False, track_running_stats=False)",
          "nn.BatchNorm2d(4, bias=False)", "nn.InstanceNorm2d(4)", "nn.InstanceNorm2d(4, affine=True, track_running_stats=True)",
          "nn.GroupNorm(2, 4)", "nn.GroupNorm(4, 4, affine=False)", "nn.GroupNorm(1, 4, eps=1e-2)", "nn.LayerNorm((7, 6))", "nn.LayerNorm(6)",
          "nn.LayerNorm([4, 7, 6], elementwise_affine=False)", "nn.LayerNorm(6, bias=False)", "nn.RMSNorm(6)", "nn.RMSNorm((7, 6), eps=1e-3)",
          "nn.RMSNorm(6, elementwise_affine=False)", "nn.LocalResponseNorm(3)", inputs=(IMAGE,), steps=3, slack=100),
    *rows("nn.BatchNorm1d(4)", "nn.BatchNorm1d(4, momentum=None)", "nn.LayerNorm(4)", inputs=((5, 4),), steps=3, slack=100),
    *rows("nn.BatchNorm1d(4)", "nn.InstanceNorm1d(4)", "nn.GroupNorm(2, 4)", inputs=(SIGNAL,), slack=100),
    *rows("nn.InstanceNorm1d(4)", inputs=((4, 9),), slack=100),
    *rows("nn.BatchNorm3d(2)", "nn.InstanceNorm3d(2)", inputs=((2, 2, 3, 4, 2),), slack=100),
]

DROPOUT = [
    *rows("nn.Dropout()", "nn.Dropout(0.2)", "nn.Dropout(p=0.0)", "nn.Dropout2d(0.3)", "nn.Dropout3d(0.3)", "nn.AlphaDropout(0.2)",
          "nn.FeatureAlphaDropout(0.2)", "nn.RReLU(0.1, 0.3)", inputs=(IMAGE,), train=False),
    *rows("nn.Dropout1d(0.1)", inputs=(SIGNAL,), train=False),
]

PADDING = [
    *rows("nn.ZeroPad2d(2)", "nn.ZeroPad2d((1, 0, -1, 2))", "nn.ConstantPad2d(1, 3.5)", "nn.ReflectionPad2d((1, 2, 0, 3))", "nn.ReplicationPad2d(2)",
          "nn.CircularPad2d((1, 0, 2, 1))", "nn.PixelShuffle(2)", "nn.ChannelShuffle(2)", "nn.Upsample(scale_factor=2)",
          "nn.Upsample((5, 9), mode='bilinear')", "nn.Upsample(scale_factor=1.5, mode='bicubic', align_corners=True)",
          "nn.UpsamplingNearest2d(scale_factor=3)", "nn.UpsamplingBilinear2d(size=(9, 4))", "nn.Unfold((2, 3), padding=1, stride=2)",
          "nn.Softmax2d()", inputs=(IMAGE,), slack=10),
    *rows("nn.ZeroPad1d(1)", "nn.ConstantPad1d((2, 1), -1.0)", "nn.ReflectionPad1d(3)", "nn.ReplicationPad1d((0, 2))", "nn.CircularPad1d(2)",
          inputs=(SIGNAL,)),
    *rows("nn.PixelUnshuffle(2)", inputs=((2, 3, 4, 6),)),
    *rows("nn.ZeroPad3d(1)", "nn.ReplicationPad3d(1)", "nn.ReflectionPad3d(1)", "nn.CircularPad3d(1)", "nn.ConstantPad3d(1, 2.0)",
          "nn.Upsample(scale_factor=2, mode='trilinear')", "nn.Upsample(size=(3, 5, 2), mode='nearest')", inputs=((1, 2, 3, 4, 3),), slack=10),
    *rows("nn.Fold((4, 5), (2, 2))", inputs=((2, 8, 12),)),
    *rows("nn.CosineSimilarity()", "nn.CosineSimilarity(dim=0)", "nn.PairwiseDistance()", "nn.PairwiseDistance(1.0, keepdim=True)",
          inputs=(FLAT, FLAT), slack=10),
]

LOSSES = [
    *rows("nn.MSELoss()", "nn.MSELoss(reduction='sum')", "nn.MSELoss(reduction='none')", "nn.L1Loss()", "nn.L1Loss(reduction='sum')",
          "nn.SmoothL1Loss()", "nn.SmoothL1Loss(beta=0.2, reduction='none')", "nn.HuberLoss()", "nn.HuberLoss('sum', 0.3)", inputs=(FLAT, FLAT)),
    *rows("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(reduction='sum')", "nn.CrossEntropyLoss(reduction='none')",
          "nn.CrossEntropyLoss(ignore_index=1)", "nn.CrossEntropyLoss(label_smoothing=0.1)",
          "nn.CrossEntropyLoss(label_smoothing=0.3, ignore_index=2, reduction='none')", "nn.NLLLoss()", "nn.NLLLoss(reduction='none')",
          "nn.NLLLoss(ignore_index=0)", "nn.MultiMarginLoss()", "nn.MultiMarginLoss(p=2, margin=0.5)", inputs=((5, 4), ("int", 4, 5))),
    *rows("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.2, reduction='sum')", "nn.NLLLoss()",
          inputs=((2, 4, 3, 2), ("int", 4, 2, 3, 2))),
    *rows("nn.CrossEntropyLoss()", "nn.NLLLoss(reduction='sum')", inputs=((4,), ("int", 4))),
    *rows("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.2)", "nn.CrossEntropyLoss(reduction='none')",
          inputs=((5, 4), ("unit", 5, 4))),
    *rows("nn.BCELoss()", "nn.BCELoss(reduction='none')", inputs=(("unit", 3, 4), ("unit", 3, 4))),
    *rows("nn.BCEWithLogitsLoss()", "nn.BCEWithLogitsLoss(reduction='sum')", inputs=(FLAT, ("unit", 3, 4))),
    *rows("nn.KLDivLoss(reduction='batchmean')", "nn.KLDivLoss(reduction='sum')", inputs=(FLAT, ("unit", 3, 4))),
    *rows("nn.KLDivLoss(reduction='batchmean', log_target=True)", inputs=(FLAT, FLAT)),
    *rows("nn.PoissonNLLLoss()", "nn.PoissonNLLLoss(log_input=False, full=True)", inputs=(("unit", 3, 4), ("unit", 3, 4))),
    *rows("nn.GaussianNLLLoss()", "nn.GaussianNLLLoss(full=True, reduction='sum')", inputs=(FLAT, FLAT, ("unit", 3, 4))),
    *rows("nn.MarginRankingLoss(0.2)", inputs=((6,), (6,), ("sign", 6)), grads=(0, 1)),
    *rows("nn.HingeEmbeddingLoss()", "nn.SoftMarginLoss()", inputs=((6,), ("sign", 6)), grads=(0,)),
    *rows("nn.MultiLabelSoftMarginLoss()", inputs=(FLAT, ("unit", 3, 4)), grads=(0,)),
    *rows("nn.CosineEmbeddingLoss(0.1)", inputs=(FLAT, FLAT, ("sign", 3)), grads=(0, 1)),
    *rows("nn.TripletMarginLoss()", "nn.TripletMarginLoss(2.0, p=1, swap=True)", inputs=(FLAT, FLAT, FLAT), slack=10),
]

BLOCKS = rows(
    "nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 5), nn.LogSoftmax(1))",
    "nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6), nn.Softmax(-1))", inputs=(IMAGE,), slack=100)

ROWS = [*ACTIVATIONS, *HARDSIGMOID, *LINEAR, *CONVOLUTIONS, *POOLING, *NORMS, *DROPOUT, *PADDING, *LOSSES, *BLOCKS]

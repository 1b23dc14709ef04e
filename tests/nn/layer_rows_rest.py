"""Rows of the layers that are used less often: the same records as in layer_rows.py."""
from .layer_rows import FLAT, IMAGE, SIGNAL, rows

VOLUME = (2, 2, 4, 3, 5)
BAG, STARTS = ("values", [1, 5, 5, 0, 2, 6, 3, 3]), ("values", [0, 3, 3, 5])

TABLES = [
    *rows("nn.EmbeddingBag(7, 3)", "nn.EmbeddingBag(7, 3, mode='sum')", "nn.EmbeddingBag(7, 3, mode='max')", "nn.EmbeddingBag(7, 3, padding_idx=2)",
          "nn.EmbeddingBag(7, 3, padding_idx=-1, mode='sum')", inputs=(("int", 7, 4, 5),)),
    *rows("nn.EmbeddingBag(7, 3)", "nn.EmbeddingBag(7, 3, mode='max', padding_idx=5)", inputs=(BAG, STARTS)),
    *rows("nn.EmbeddingBag(7, 3, max_norm=1.5, norm_type=1.0)", inputs=(("int", 7, 4, 5),), slack=1e5),  # torch's 1e-7 beside a norm is a float32
    *rows("nn.EmbeddingBag(7, 3, mode='sum', include_last_offset=True)", inputs=(BAG, ("values", [0, 2, 2, 8]))),
    *rows("nn.EmbeddingBag(7, 3, mode='sum')", inputs=(BAG, STARTS, (8,))),
    *rows("nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 12])", "nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[3], div_value=2.0, head_bias=True)",
          inputs=((9, 16), ("int", 20, 9)), slack=10),
    *rows("nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 12])", inputs=((16,), ("values", 7)), slack=10),
]

POOLS = [
    *rows("nn.LPPool1d(2, 3)", "nn.LPPool1d(3.0, 2, stride=1, ceil_mode=True)", inputs=(("unit", *SIGNAL),), slack=10),
    *rows("nn.LPPool2d(1, (2, 3))", "nn.LPPool2d(float('inf'), 2)", inputs=(("unit", *IMAGE),), slack=10),
    *rows("nn.LPPool3d(2, 2)", "nn.LPPool3d(3.0, (2, 1, 2), stride=1)", inputs=(("unit", *VOLUME),), slack=10),
    *rows("nn.AdaptiveMaxPool1d(4, return_indices=True)", inputs=(SIGNAL,)),
    *rows("nn.AdaptiveMaxPool3d((2, None, 3), return_indices=True)", inputs=(VOLUME,)),
    *rows("nn.MaxUnpool1d(2)", inputs=((1, 2, 3), ("values", [[[0, 3, 5], [1, 2, 4]]]))),
    *rows("nn.MaxUnpool2d(2, stride=2)", "nn.MaxUnpool2d((2, 2), (2, 2), 0)", inputs=((1, 1, 2, 2), ("values", [[[[0, 3], [9, 14]]]]))),
    *rows("nn.MaxUnpool3d((1, 2, 2))", inputs=((1, 1, 1, 2, 2), ("values", [[[[[0, 3], [9, 14]]]]]))),
]

NORMS = [
    *rows("nn.InstanceNorm1d(4, affine=True)", "nn.InstanceNorm1d(4, track_running_stats=True, momentum=0.3)", inputs=(SIGNAL,), steps=3, slack=100),
    *rows("nn.InstanceNorm1d(4, track_running_stats=True)", inputs=((4, 9),), steps=3, slack=100),
    *rows("nn.InstanceNorm3d(2, affine=True, track_running_stats=True, eps=1e-3)", "nn.InstanceNorm3d(2, affine=True, bias=False)", inputs=(VOLUME,),
          steps=3, slack=100),
    *rows("nn.LocalResponseNorm(4, alpha=0.1, beta=0.5, k=2.0)", inputs=(IMAGE,), slack=100),
    *rows("nn.LocalResponseNorm(2)", inputs=(SIGNAL,), slack=100),
    *rows("nn.Softmax2d()", inputs=((4, 3, 2),)),
]

LOSSES = [
    *rows("nn.CTCLoss()", "nn.CTCLoss(blank=4, reduction='sum')", "nn.CTCLoss(reduction='none', zero_infinity=True)",
          inputs=((6, 3, 5), ("values", [[1, 2, 2, 3], [3, 3, 1, 1], [2, 1, 2, 3]]), ("values", [6, 3, 4]), ("values", [4, 3, 0])), slack=10),
    *rows("nn.CTCLoss()", inputs=((6, 5), ("values", [1, 2]), ("values", 6), ("values", 2)), slack=10),
    *rows("nn.MultiLabelMarginLoss()", "nn.MultiLabelMarginLoss(reduction='none')",
          inputs=((3, 4), ("values", [[0, 2, -1, 1], [-1, 2, 0, 0], [3, 1, 0, 2]]))),
    *rows("nn.TripletMarginWithDistanceLoss()", "nn.TripletMarginWithDistanceLoss(margin=0.5, swap=True, reduction='sum')",
          "nn.TripletMarginWithDistanceLoss(distance_function=nn.CosineSimilarity(), reduction='none')", inputs=(FLAT, FLAT, FLAT), slack=10),
    *rows("nn.LinearCrossEntropyLoss(4, 6)", "nn.LinearCrossEntropyLoss(4, 6, bias=True, reduction='sum', label_smoothing=0.1)",
          "nn.LinearCrossEntropyLoss(4, 6, reduction='none', ignore_index=2)", inputs=((5, 4), ("int", 6, 5)), slack=10),
    *rows("nn.LinearCrossEntropyLoss(4, 6, out_features=(2,), bias=True)", inputs=((5, 4), ("int", 6, 5, 2)), slack=10),
]

ROWS = [*TABLES, *POOLS, *NORMS, *LOSSES]

REFUSED = [
    "nn.EmbeddingBag(4, 2, padding_idx=7)", "nn.EmbeddingBag(4, 2, _weight=T.zeros(3, 2))", "nn.EmbeddingBag.from_pretrained(T.zeros(3))",
    "nn.EmbeddingBag(4, 2)(T.tensor([[0, 9]]))", "nn.EmbeddingBag(4, 2)(T.tensor([0, 1]))", "nn.EmbeddingBag(4, 2, mode='median')(T.tensor([[0]]))",
    "nn.TripletMarginWithDistanceLoss(margin=0)", "nn.LinearCrossEntropyLoss(3, 4, weight=T.ones(3))",
    "nn.LinearCrossEntropyLoss(3, 4, label_smoothing=2)", "nn.LinearCrossEntropyLoss(3, 4)(T.zeros(2, 2, 3), T.tensor([0, 1]))",
    "nn.AdaptiveLogSoftmaxWithLoss(4, 5, [])", "nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(T.zeros(2, 4), T.tensor([0]))",
    "nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(T.zeros(2, 4), T.zeros(2, 2))",
    "nn.MaxUnpool2d(2)(T.zeros(1, 1, 2, 2), T.zeros(1, 1, 2, 2).long(), output_size=(9, 9))",
    "nn.MaxUnpool1d(2)(T.zeros(1, 2), T.zeros(1, 3).long())", "nn.FractionalMaxPool2d(2)",
    "nn.FractionalMaxPool3d(2, output_size=2, output_ratio=0.5)", "nn.CrossMapLRN2d(3)(T.zeros(2, 3))", "nn.Container(first=3)",
    "nn.LazyLinear(3).initialize_parameters()", "nn.Hardtanh(2.0, 1.0)", "nn.CTCLoss()(T.zeros(3), T.tensor([1]), [3], [1])",
    "nn.InstanceNorm1d(4, affine=True)(T.zeros(2, 3, 5))", "nn.LazyBatchNorm2d()(T.zeros(2, 3))", "nn.Linear(2, 3).get_extra_state()",
    "nn.Linear(2, 3).set_extra_state(1)", "nn.Linear(2, 3).load_state_dict([1])", "nn.Linear(2, 3).set_submodule('', 1)",
]

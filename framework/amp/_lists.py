"""Which functions autocast changes, by torch's names: "x" is ringgrad.x and Tensor.x, "F.x" is nn.functional.x; ops come by their own names.

lower    inputs are cast to the type of the region
float32  half-precision inputs are cast to float32;  float32_unless_typed  the same, unless the caller asks for a type with dtype=
widest   inputs are cast to the widest type among them, which is at least that of the region
as_is    nothing is cast, though an operation inside is one of the above
gates    of recurrent layers: the products run in the type of the region, and the result is promoted with the state's
follow   (ops) a half-precision first input beside float32 parameters decides the type of the result
float64 and integers are never cast.  The lists are those of PyTorch's CPU and CUDA autocast (docs "Autocast Op Reference", 2.13).
"""

_LOSSES = """
    F.cosine_embedding_loss F.hinge_embedding_loss F.huber_loss F.kl_div F.l1_loss F.margin_ranking_loss F.mse_loss F.multi_margin_loss
    F.multilabel_margin_loss F.nll_loss F.poisson_nll_loss F.smooth_l1_loss F.soft_margin_loss F.triplet_margin_loss
    F.binary_cross_entropy_with_logits
"""

_COMPOSED = """
    kron matrix_exp linalg.matrix_exp linalg.pinv pinverse F.adaptive_avg_pool1d F.adaptive_avg_pool2d F.grouped_mm
"""

CPU = {
    "lower": "addmm baddbmm addbmm linalg.vecdot",
    "lower ops": """matmul linear linear_relu linear_activation feed_forward convolution conv_transpose prelu scaled_dot_product_attention
    flash_attention lstm_layer rnn_layer""",
    "gates": "lstm_cell",
    "gates ops": "gru_layer",
    "as_is": "mv dot vdot addmv addr outer F.bilinear " + _COMPOSED + "F.interpolate F.upsample",
    "float32": _LOSSES + """
    F.cross_entropy F.binary_cross_entropy F.ctc_loss F.avg_pool3d F.max_pool3d F.adaptive_avg_pool3d F.adaptive_max_pool3d
    F.fractional_max_pool2d F.fractional_max_pool3d F.max_unpool2d F.max_unpool3d F.grid_sample cdist trace prod quantile nanquantile polar
    stft view_as_complex cholesky cholesky_inverse cholesky_solve inverse geqrf lu lu_solve orgqr ormqr qr svd triangular_solve
    linalg.lu_solve linalg.lu_factor linalg.ldl_solve linalg.cholesky linalg.cholesky_ex linalg.cond linalg.eig linalg.eigh linalg.eigvals
    linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex linalg.lstsq linalg.matrix_rank linalg.qr linalg.solve linalg.svd
    linalg.svdvals linalg.tensorinv linalg.tensorsolve fft.fft fft.ifft fft.fft2 fft.ifft2 fft.fftn fft.ifftn fft.rfft fft.irfft fft.rfft2
    fft.irfft2 fft.rfftn fft.irfftn fft.hfft fft.ihfft
""",
    "widest": "index_copy",
    "follow ops": "normalize scale_shift group_normalize",
}

CUDA = {
    "lower": "addmm addmv addr baddbmm addbmm chain_matmul linalg.multi_dot linalg.vecdot mv",
    "lower ops": """matmul linear linear_relu linear_activation feed_forward convolution conv_transpose prelu scaled_dot_product_attention
    flash_attention lstm_layer gru_layer rnn_layer""",
    "as_is": _COMPOSED,
    "float32": _LOSSES + """
    dist renorm cdist F.pdist pdist F.cosine_similarity F.interpolate F.upsample F.layer_norm F.group_norm
    F.cross_entropy
""",
    "float32 ops": """
    arccos arcsin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan power softplus logsumexp cross_entropy
""",
    "float32_unless_typed": "norm linalg.norm linalg.vector_norm linalg.matrix_norm F.softmin",
    "float32_unless_typed ops": "prod softmax log_softmax cumprod cumsum sum vector_norm",
    "widest": "addcdiv addcmul atan2 arctan2 F.bilinear cross linalg.cross dot vdot F.grid_sample index_put tensordot scatter_add",
    "follow ops": "normalize scale_shift group_normalize",
    "refused": "F.binary_cross_entropy",
}

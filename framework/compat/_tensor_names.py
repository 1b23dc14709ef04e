"""The attributes of torch.Tensor (2.13) that NumPy arrays, modules and Python's own types have not: who asks for one means a tensor."""

ONLY_TENSORS_HAVE = frozenset("""
    H abs_ absolute_ acos_ acosh_ add_ addbmm addbmm_ addcdiv addcdiv_ addcmul addcmul_ addmm addmm_ addmv addmv_ addr addr_ adjoint aminmax
    apply_ arccos_ arccosh_ arcsin_ arcsinh_ arctan2_ arctan_ arctanh_ as_strided as_strided_ as_strided_scatter as_subclass asin_ asinh_
    atan2_ atan_ atanh_ backward baddbmm baddbmm_ bernoulli bernoulli_ bitwise_and_ bitwise_left_shift_ bitwise_not_ bitwise_or_
    bitwise_right_shift_ bitwise_xor_ bmm cauchy_ ccol_indices ceil_ cfloat chalf cholesky cholesky_inverse cholesky_solve chunk clamp
    clamp_ clamp_max clamp_max_ clamp_min clamp_min_ clip_ clone coalesce col_indices conj_physical conj_physical_ const_data_ptr contiguous
    copy_ copysign_ cos_ cosh_ crow_indices cummax cummin cumprod_ cumsum_ data_ptr deg2rad_ dense_dim dequantize det detach detach_
    diag_embed diagonal_scatter digamma digamma_ dim dim_order dist div div_ divide_ eig element_size eq eq_ erf erf_ erfc erfc_ erfinv
    erfinv_ exp2_ exp_ expand expand_as expm1_ exponential_ fill_ fill_diagonal_ fix_ float_power_ floor_ floor_divide_ fmod_ frac frac_
    gather gcd_ ge ge_ geometric_ geqrf ger get_device grad grad_dtype grad_fn greater_ greater_equal_ gt gt_ hardshrink hash_tensor
    heaviside_ histc hypot_ i0_ igamma igamma_ igammac igammac_ index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_put
    index_put_ index_reduce index_reduce_ index_select int int_repr inverse is_coalesced is_complex is_conj is_contiguous is_cpu is_cuda
    is_distributed is_floating_point is_inference is_ipu is_leaf is_maia is_meta is_mkldnn is_mps is_mtia is_neg is_nested is_nonzero
    is_pinned is_quantized is_same_size is_set_to is_shared is_signed is_sparse is_sparse_csr is_vulkan is_xla is_xpu istft kthvalue layout
    lcm_ ldexp_ le le_ lerp lerp_ less_ less_equal_ lgamma lgamma_ log10_ log1p_ log2_ log_ log_normal_ log_softmax logcumsumexp logdet
    logical_and_ logical_not_ logical_or_ logical_xor_ logit logit_ logsumexp lstsq lt lt_ lu lu_solve mH map2_ map_ masked_fill
    masked_fill_ masked_scatter masked_scatter_ masked_select matrix_exp matrix_power mm mode module_load movedim msort mul mul_ multinomial
    multiply_ mv mvlgamma mvlgamma_ nan_to_num_ narrow narrow_copy ndimension ne ne_ neg neg_ negative_ nelement new new_empty
    new_empty_strided new_full new_ones new_tensor new_zeros nextafter_ nonzero_static norm normal_ not_equal_ numel numpy orgqr ormqr
    output_nr permute pin_memory pinverse polygamma polygamma_ pow_ prelu put_ q_per_channel_axis q_per_channel_scales
    q_per_channel_zero_points q_scale q_zero_point qr qscheme rad2deg_ random_ reciprocal_ record_stream register_hook
    register_post_accumulate_grad_hook reinforce relu relu_ remainder_ renorm renorm_ repeat_interleave requires_grad reshape_as resize_
    resize_as resize_as_ resize_as_sparse_ resolve_conj resolve_neg retain_grad retains_grad round_ row_indices rsqrt rsqrt_ scatter
    scatter_ scatter_add scatter_add_ scatter_reduce scatter_reduce_ select_scatter set_ sgn sgn_ share_memory_ sigmoid sigmoid_ sign_ sin_
    sinc_ sinh_ slice_inverse slice_scatter slogdet smm softmax solve sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_
    split_with_sizes sqrt_ square_ squeeze_ sspaddmm stft storage storage_offset storage_type stride sub sub_ subtract_ sum_to_size svd
    swapaxes_ swapdims swapdims_ symeig t t_ take_along_dim tan_ tanh_ tensor_split to_dense to_mkldnn to_padded_tensor to_sparse
    to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr topk transpose_ triangular_solve tril_ triu_ true_divide_ trunc_
    type_as unbind unflatten unfold uniform_ unique_consecutive unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_
    untyped_storage view_as volatile xlogy xlogy_ zero_
""".split())  # noqa: SIM905 - a list literal would be four pages

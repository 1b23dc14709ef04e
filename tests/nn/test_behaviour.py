"""What torch cannot be asked in the same words: randomness of dropout, shared memory, in-place flags, half precision, big pictures."""
import os
import pickle

import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn


def test_dropout_draws_anew_and_scales():
    m = nn.Dropout(0.4)
    x = ringgrad.ones(200, 100)
    a, b = m(x).numpy(), m(x).numpy()
    np.testing.assert_allclose(np.unique(a), [0.0, 1 / 0.6], rtol=1e-6)
    assert abs((a == 0).mean() - 0.4) < 0.02
    assert not np.array_equal(a, b)
    m.eval()
    assert m(x) is x


def test_dropout_gradient_follows_the_mask():
    x = ringgrad.ones(50, 40, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_dropout_repeats_with_the_seed():
    x = ringgrad.ones(50, 40)
    ringgrad.manual_seed(3)
    a = F.dropout(x)
    ringgrad.manual_seed(3)
    np.testing.assert_array_equal(a.numpy(), F.dropout(x).numpy())


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_at_the_ends(p):
    x = ringgrad.ones(4, 5, requires_grad=True)
    y = F.dropout(x, p)
    y.sum().backward()
    np.testing.assert_array_equal(y.detach().numpy(), np.full((4, 5), 1 - p))
    np.testing.assert_array_equal(x.grad.numpy(), np.full((4, 5), 1 - p))


@pytest.mark.parametrize(("function", "shape"), [(F.dropout1d, (30, 20, 5)), (F.dropout2d, (30, 20, 5, 2)), (F.dropout3d, (30, 20, 2, 3, 2)),
                                                 (F.feature_alpha_dropout, (30, 20, 6))])
def test_feature_dropout_takes_whole_channels(function, shape):
    y = function(ringgrad.ones(*shape), 0.5, training=True).numpy().reshape(600, -1)
    assert (y == y[:, :1]).all()
    assert 0.4 < (y[:, 0] == y[:, 0].min()).mean() < 0.6


def test_alpha_dropout_keeps_mean_and_variance():
    y = F.alpha_dropout(ringgrad.randn(400, 500), 0.3, training=True).numpy()
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02


def test_inplace_flags_write_over_the_input():
    for function in (F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.silu, F.mish, F.hardtanh, F.hardsigmoid, F.hardswish):
        x = ringgrad.randn(3, 4)
        want = function(x.clone()).numpy()
        assert function(x, inplace=True) is x, function.__name__
        np.testing.assert_array_equal(x.numpy(), want)
    x = ringgrad.ones(50, 50)
    assert F.dropout(x, 0.5, inplace=True) is x
    assert set(np.unique(x.numpy())) == {0.0, 2.0}
    x = ringgrad.tensor([1.0, -2.0])
    assert F.threshold_(x, 0.0, 5.0) is x
    assert x.tolist() == [1.0, 5.0]


def test_inplace_relu_in_a_network_gets_the_same_gradients():
    def gradients(inplace):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace), nn.Linear(4, 2))
        net(ringgrad.ones(2, 3)).sum().backward()
        return [p.grad.numpy() for p in net.parameters()]
    for a, b in zip(gradients(False), gradients(True), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_network_in_half_precision(dtype):
    """Outputs and gradients come in the half type, within its precision of those in float32."""
    ringgrad.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.GELU(), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))
    x, t = ringgrad.randn(8, 2, 6, 6), ringgrad.arange(8) % 5

    def run(net, x):
        net.zero_grad()
        loss = F.cross_entropy(net(x), t)
        loss.backward()
        return loss, [p.grad for p in net.parameters()]
    wide_loss, wide = run(net, x)
    half = getattr(ringgrad, dtype)
    loss, grads = run(pickle.loads(pickle.dumps(net)).to(half), x.to(half))
    assert loss.dtype is half
    assert abs(float(loss) - float(wide_loss)) < 0.05
    for g, w in zip(grads, wide, strict=True):
        assert g.dtype is half
        np.testing.assert_allclose(g.float().numpy(), w.numpy(), atol=0.06 * max(1.0, float(w.abs().max())))


def test_batch_norm_of_half_precision_input_keeps_float32_statistics():
    bn = nn.BatchNorm2d(3)
    out = bn(ringgrad.randn(4, 3, 5, 5).to(ringgrad.bfloat16))
    assert out.dtype is ringgrad.bfloat16
    assert bn.running_mean.dtype is ringgrad.float32
    assert bn.num_batches_tracked.item() == 1


def test_share_memory_is_seen_by_forked_children():
    net = nn.Linear(3, 2).share_memory()
    before = net.weight.detach().numpy().copy()
    pid = os.fork()
    if not pid:
        with ringgrad.no_grad():
            net.weight.add_(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    np.testing.assert_allclose(net.weight.detach().numpy(), before + 1)
    net(ringgrad.ones(1, 3)).sum().backward()
    assert net.weight.grad is not None


def test_adaptive_pooling_to_one_cell_is_the_global_average():
    x = ringgrad.randn(2, 3, 5, 4)
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, 1).numpy()[..., 0, 0], x.numpy().mean((2, 3)), rtol=1e-6)


def test_attention_matches_its_three_steps():
    q, k, v = (ringgrad.randn(2, 3, 6, 4) for _ in range(3))
    scores = q @ k.transpose(-2, -1) / 2
    np.testing.assert_allclose(F.scaled_dot_product_attention(q, k, v).numpy(), (scores.softmax(-1) @ v).numpy(), rtol=1e-4, atol=1e-6)


def test_attention_dropout_scales_the_weights():
    q = ringgrad.zeros(1, 40, 4)
    out = F.scaled_dot_product_attention(q, q, ringgrad.ones(1, 40, 500), dropout_p=0.5).numpy()
    assert abs(out.mean() - 1) < 0.2
    assert out.std() > 0.05


def test_grouped_query_attention_repeats_heads():
    q, k, v = ringgrad.randn(2, 6, 5, 4), ringgrad.randn(2, 2, 5, 4), ringgrad.randn(2, 2, 5, 4)
    spread = [ringgrad.from_numpy(t.numpy().repeat(3, 1)) for t in (k, v)]
    np.testing.assert_allclose(F.scaled_dot_product_attention(q, k, v, enable_gqa=True).numpy(),
                               F.scaled_dot_product_attention(q, *spread).numpy(), rtol=1e-5)


def test_gumbel_softmax():
    logits = ringgrad.tensor([[2.0, 0.0, -1.0]], requires_grad=True)
    hard = F.gumbel_softmax(logits.expand(4000, 3), hard=True)
    rows = hard.detach().numpy()
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
    assert set(np.unique(rows.round(5))) == {0.0, 1.0}
    np.testing.assert_allclose(rows.mean(0), np.exp([2, 0, -1]) / np.exp([2, 0, -1]).sum(), atol=0.03)
    (hard * ringgrad.arange(3.0)).sum().backward()
    assert np.abs(logits.grad.numpy()).max() > 0


def test_implicit_dimension_of_softmax_warns():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax has been deprecated"):
        out = F.softmax(ringgrad.zeros(2, 4))
    np.testing.assert_array_equal(out.numpy(), np.full((2, 4), 0.25))


def test_sizes_that_differ_warn_in_mse_loss():
    with pytest.warns(UserWarning, match="that is different to the input size"):
        loss = F.mse_loss(ringgrad.zeros(3, 1), ringgrad.ones(3))
    assert loss.item() == 1


def test_a_sparse_embedding_gives_a_sparse_gradient_of_the_rows_it_used():
    table = nn.Embedding(30, 2, sparse=True)
    table(ringgrad.tensor([4, 7, 4])).sum().backward()
    assert table.weight.grad.is_sparse and table.weight.grad._indices().tolist() == [[4, 7, 4]]


def test_pretrained_embeddings_share_memory_and_are_frozen():
    table = ringgrad.randn(4, 3)
    m = nn.Embedding.from_pretrained(table)
    table[1] = 7.0
    assert m(ringgrad.tensor([1])).tolist() == [[7.0, 7.0, 7.0]]
    assert not m.weight.requires_grad
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_padding_row_of_an_embedding_takes_no_gradient_and_starts_at_zero():
    m = nn.Embedding(4, 3, padding_idx=2)
    assert m.weight[2].tolist() == [0, 0, 0]
    m(ringgrad.tensor([2, 1, 2])).sum().backward()
    np.testing.assert_array_equal(m.weight.grad.numpy(), [[0] * 3, [1] * 3, [0] * 3, [0] * 3])


def test_output_of_a_transposed_convolution_can_be_chosen():
    m = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    x = ringgrad.randn(1, 2, 5, 6)
    assert m(x).shape == (1, 3, 9, 11)
    assert m(x, output_size=(10, 12)).shape == (1, 3, 10, 12)
    with pytest.raises(ValueError, match=r"requested an output size of \[11, 12\], but valid sizes range from \[9, 11\] to \[10, 12\]"):
        m(x, output_size=(11, 12))


def test_convolutions_of_an_empty_batch():
    m = nn.Conv2d(2, 3, 3)
    x = ringgrad.zeros(0, 2, 5, 5, requires_grad=True)
    out = m(x)
    assert out.shape == (0, 3, 3, 3)
    out.sum().backward()
    assert x.grad.shape == x.shape
    np.testing.assert_array_equal(m.weight.grad.numpy(), 0)


def test_names_that_torch_has_are_public():
    for name in F.__all__:
        assert callable(getattr(F, name))
    for name in nn.modules.__all__:
        assert name == "LinearCrossEntropyOptions" or issubclass(getattr(nn, name), nn.Module)

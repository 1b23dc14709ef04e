"""Sparse tensors: made, taken apart, computed with, differentiated, printed."""
from ..autograd.script import Script

HEAD = """
i = T.tensor([[0, 1, 1, 0], [2, 0, 2, 2]])
v = T.tensor([3.0, 4.0, 5.0, 1.0])
d = T.arange(6.0).reshape(3, 2).requires_grad_()
e = T.arange(1.0, 7.0).reshape(2, 3)
S = T.sparse_coo_tensor(i, v, (2, 3)).requires_grad_()
here = (T.sparse_coo_tensor(i, v, (2, 3)).to_dense() != 0).float()
def plain(t):
    return (t.to_dense() if hasattr(t, "to_dense") else t).detach() if T.is_tensor(t) else t
def weighted(t):
    t = t.to_dense()
    (t * T.arange(1.0, 1 + t.numel()).reshape(t.shape).to(t.dtype)).sum().backward()
def text(t):
    return repr(t).replace("torch.", "").replace("ringgrad.", "")
"""

# What is computed from the sparse leaf S; the gradients of S (at its places) and of d are compared too.
DIFFERENTIATED = """
S @ d; T.mm(S, d); T.matmul(S, d); T.sparse.mm(S, d); T.spmm(S, d); S.mv(T.ones(3)); S @ T.ones(3); d.t() @ S.t(); T.sparse.mm(S, S.t())
T.sparse.addmm(T.ones(2, 2), S, d); T.sparse.addmm(T.ones(2, 2), S, d, beta=2.0, alpha=3.0); T.addmm(T.ones(2, 2), S, d)
S.to_dense(); S.coalesce().values(); S.coalesce(); S.clone(); S.double(); S.to(T.float64); S.t(); S.T; S.transpose(0, 1); S.permute(1, 0)
S + S; S - S; S * 2; 2 * S; S / 2; -S; S * e; e * S; S * S; e + S; e - S; S * T.tensor(2.0); S ** 2; S.abs(); S.square(); T.relu(S)
T.add(S, S, alpha=3); S.coalesce() + S.coalesce(); T.sparse.sum(S); T.sparse.sum(S, 0); T.sparse.sum(S, [0, 1]); T.sparse.sum(S, dtype=T.float64)
S.sum(); T.sparse.softmax(S, 1); T.sparse.softmax(S, 0); T.sparse.log_softmax(S, 1); S.sparse_mask(S.coalesce().detach())
T.nn.functional.linear(d.t(), S); T.stack([S, S]); S.to_sparse()
"""
# Only values here: torch has no gradient of these.
COMPUTED = """
S[0]; S[:, 1]; S[1, 2]; S.sum(1); S.index_select(0, T.tensor([1])); S.index_select(1, T.tensor([2, 0, 2])); T.cat([S, S]); T.cat([S, S], 1)
S.unsqueeze(0); S.norm(); S.select(0, 1); S.sqrt(); S.long(); S.detach(); S.data; T.zeros_like(S); T.sparse_coo_tensor((2, 3)); S.data.clone().zero_()
S.data.clone().mul_(2); S.data.clone().add_(S.data); T.ones(2, 3).add_(S.data); S.data.clone().copy_(S.data * 3); T.ones(2, 2).to_sparse(1)
T.eye(3).to_sparse_csr() @ d; T.eye(3).to_sparse_csr().crow_indices(); T.eye(3).to_sparse_csr().col_indices(); T.eye(3).to_sparse_csr() * 2
T.sparse_csr_tensor([0, 1, 2], [0, 1], [1.0, 2.0], (2, 5)); S.to_sparse_csr(); S.to_sparse_csr().to_sparse(); T.sparse_coo_tensor(i, [1, 2, 3, 4])
T.sparse.sampled_addmm(T.eye(3).to_sparse_csr(), T.ones(3, 2), T.ones(2, 3), beta=0.5, alpha=2.0); T.sparse.FloatTensor(2, 3)
T.sparse.FloatTensor(i, v); T.sparse.DoubleTensor(i, v.double(), (2, 3)); e.sparse_mask(S.coalesce()); T.ones(2).to_dense()
T.sparse_coo_tensor(T.zeros(0, 1), T.tensor([2.0])); T.sparse_coo_tensor([[0, 1]], T.ones(2, 3), (3, 3)); S.coalesce().indices()
"""
ASKED = """
S.is_sparse; S.is_coalesced(); S.coalesce().is_coalesced(); S.t().is_coalesced(); (S * 2).is_coalesced(); (S + S).is_coalesced(); S._nnz()
S.coalesce()._nnz(); S.sparse_dim(); S.dense_dim(); S.shape == (2, 3); S.numel(); len(S); S.dim(); S.is_leaf; S.requires_grad; S.device.type
T.ones(2, 2).to_sparse(1).dense_dim(); isinstance(S, T.sparse.FloatTensor); isinstance(S, T.sparse.DoubleTensor); T.is_tensor(S)
S.layout == T.sparse_coo; T.ones(2).layout == T.strided; S.to_sparse_csr().layout == T.sparse_csr; S.to_sparse_csr().is_sparse; S.element_size()
T.sparse.check_sparse_tensor_invariants.is_enabled(); T.ones(2).is_sparse; T.ones(2).sparse_dim(); S.float() is S; str(S.dtype).split(".")[-1]
"""
SHOWN = """
S; S.coalesce().detach(); S.detach(); T.eye(2).double().to_sparse(); T.eye(3).to_sparse_csr(); T.sparse_coo_tensor((2, 3)); T.eye(2).to_sparse(1)
T.sparse_coo_tensor(i, [1, 2, 3, 4])
"""


def _split(table):
    return [part.strip() for line in table.strip().splitlines() for part in line.split(";") if part.strip()]


SCRIPTS = [
    *[Script(f"gradients of {f}", f"{HEAD}\nr = {f}\nweighted(r)", "plain(r); r.requires_grad; S.grad.to_dense() * here; d.grad is None or d.grad")
      for f in _split(DIFFERENTIATED)],
    *[Script(f"value of {f}", HEAD, f"plain({f})") for f in _split(COMPUTED)],
    *[Script(f"answer of {f}", HEAD, f) for f in _split(ASKED)],
    *[Script(f"repr of {f}", HEAD, f"text({f})") for f in _split(SHOWN)],
    *[Script(f"refused: {f}", f"{HEAD}\n{f}", raises=words, ours=ours) for f, words, ours in (
        ("S + e", r"add\(sparse, dense\)", ""), ("S + 1", r"add\(sparse, dense\)", ""), ("S - e", r"add\(sparse, dense\)", ""),
        ("S / e", "Sparse division requires a scalar", ""), ("S ** 0", "zeroth power", ""), ("S.indices()", "coalesce", ""),
        ("S.values()", "uncoalesced", ""), ("e.coalesce()", "expected sparse coordinate tensor layout but got Strided", ""),
        ("S.exp()", "aten::exp", r"exp is not implemented for sparse tensors.*\.to_dense\(\)"), ("S.max()", "aten::max", "not implemented for sparse"),
        ("1 / S", "aten::reciprocal", "not implemented for sparse"), ("S == S", "aten::eq", "equal is not implemented for sparse"),
        ("S.detach().numpy()", "can't convert Sparse layout tensor", ""), ("T.sparse.softmax(e, 0)", "aten::_sparse_softmax", "sparse.softmax is for sparse"),
        ("T.sparse_coo_tensor([[0, 1]], [1.0, 2.0, 3.0], (3,))", "must have same nnz", ""),
        ("T.sparse_coo_tensor([0, 1], [1.0, 2.0], (3,))", "sparse_dim", "sparse_dim x nnz"),
        ("T.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3, 4))", "len\\(size\\) == sparse_dim \\+ dense_dim", ""),
        ("T.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (3,), is_coalesced=True, check_invariants=True)", "cannot set is_coalesced to true", ""),
        ("T.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,), check_invariants=True)", "size is inconsistent with indices", ""),
        ("T.sparse.mm(S, T.ones(4, 2))", "Expected dim 0 size 3, got 4", "cannot be multiplied"), ("T.ones(2, 2).to_sparse(3)", "sparse_dim argument must be", ""),
        ("T.sparse_coo_tensor(i, v) + T.eye(2).to_sparse()", "expected sizes of 'self' and 'other' to match", ""), ("bool(S)", "ambiguous", ""))],
    Script("gradients flow to the values a sparse tensor is made of", f"""{HEAD}
v.requires_grad_()
s = T.sparse_coo_tensor(i, v, (2, 3))
leaf = s.is_leaf
weighted(T.sparse.mm(s, d))
""", "v.grad; d.grad; leaf"),
    Script("a two-layer graph network's step", """
A = T.sparse_coo_tensor([[0, 0, 1, 1, 2, 3], [0, 1, 0, 2, 3, 1]], T.tensor([0.5, 0.5, 0.3, 0.7, 1.0, 1.0]), (4, 4))
X = T.arange(12.0).reshape(4, 3) / 10
W1 = (T.arange(6.0).reshape(3, 2) / 5).requires_grad_()
W2 = (T.arange(4.0).reshape(2, 2) / 3).requires_grad_()
out = T.nn.functional.log_softmax(T.spmm(A, T.relu(A @ (X @ W1)) @ W2), dim=1)
T.nn.functional.nll_loss(out, T.tensor([0, 1, 1, 0])).backward()
""", "out; W1.grad; W2.grad"),
    *[Script(f"a table's sparse gradient: {title}", f"""
w = T.ones(4, 2, requires_grad=True)
def E(*rows, **kw):
    return T.nn.functional.embedding(T.tensor(rows), w, sparse=True, **kw)
{text}
""", "w.grad.is_sparse; w.grad.to_dense()") for title, text in (
        ("once", "E(1, 1, 3).sum().backward()"), ("twice is sparse", "E(1, 1).sum().backward(); E(1, 2).sum().backward()"),
        ("and a dense one is dense", "E(1, 1).sum().backward(); (w * 2).sum().backward()"),
        ("after a dense one is dense", "(w * 2).sum().backward(); E(1, 1).sum().backward()"),
        ("in one pass with a dense one", "(E(1, 1).sum() + (w * 2).sum()).backward()"), ("two in one pass", "(E(1, 1).sum() + E(3).sum()).backward()"),
        ("the padding row takes none", "E(1, 0, 3, padding_idx=1).sum().backward()"),
        ("through an operation before", "T.nn.functional.embedding(T.tensor([1, 1]), w * 2, sparse=True).sum().backward()"),
        ("zeroed in place", "E(1).sum().backward(); T.optim.SGD([w], lr=0.1).zero_grad(set_to_none=False)"),
        ("assigned", "w.grad = T.sparse_coo_tensor([[0]], T.ones(1, 2), (4, 2))"),
        ("seen by a hook, and doubled", "w.register_hook(lambda g: g * 2 if g.is_sparse else None); E(2, 2).sum().backward()"))],
    *[Script(f"sparse embeddings of {name}", f"""
T.manual_seed(0)
m = T.nn.{name}(6, 2, sparse=True{options})
with T.no_grad():
    m.weight.copy_(T.arange(12.0).reshape(6, 2))
out = m(T.tensor([[1, 2, 2], [5, 0, 1]]))
(out ** 2).sum().backward()
""", "out; m.weight.grad.is_sparse; m.weight.grad.to_dense()") for name, options in (
        ("Embedding", ", padding_idx=1"), ("EmbeddingBag", ", mode='sum'"), ("EmbeddingBag", ", mode='mean'"))],
    *[Script(f"eight steps of {made}", f"""
w = T.nn.Parameter((T.arange(30.0).reshape(10, 3) - 15) / 7)
o = T.optim.{made}
for rows in [[1, 2, 2, 5, 0, 1], [3, 3, 7], [9], [2, 2, 2]] * 2:
    o.zero_grad()
    (T.nn.functional.embedding(T.tensor(rows), w, padding_idx=1, sparse=True) ** 2).sum().backward()
    o.step()
state = {{k: T.as_tensor(s).double() for k, s in sorted(o.state[w].items())}}
""", "w; state; w.grad.is_sparse") for made in (
        "SGD([w], lr=0.1)", "SGD([w], lr=0.1, maximize=True)", "Adagrad([w])", "Adagrad([w], lr=0.1, lr_decay=0.1)", "SparseAdam([w])",
        "SparseAdam([w], lr=0.3, betas=(0.5, 0.9), eps=1e-3, maximize=True)")],
    *[Script(f"a sparse gradient is refused by {made}", f"""
w = T.nn.Parameter(T.ones(4, 2))
T.nn.functional.embedding(T.tensor([1]), w, sparse=True).sum().backward()
T.optim.{made}.step()
""", raises=words, ours=ours) for made, words, ours in (
        ("Adam([w])", "Adam does not support sparse gradients, please consider SparseAdam", ""), ("RMSprop([w])", "does not support sparse", ""),
        ("Adadelta([w])", "does not support sparse", ""), ("Adagrad([w], weight_decay=0.1)", "weight_decay option is not compatible", ""),
        ("SGD([w], lr=0.1, weight_decay=0.1)", "sparse", ""))],
    *[Script(f"SparseAdam refuses {what}", f"w = T.nn.Parameter(T.ones(3)); w.grad = T.ones(3)\nT.optim.SparseAdam({arguments}).step()", raises=words)
      for what, arguments, words in (
        ("dense gradients", "[w]", "does not support dense gradients, please consider Adam"), ("a rate of 0", "[w], lr=0.0", "Invalid learning rate: 0.0"),
        ("eps of 0", "[w], eps=0.0", "Invalid epsilon value: 0.0"), ("beta of 1", "[w], betas=(1.0, 0.9)", "Invalid beta parameter at index 0: 1.0"),
        ("sparse parameters", "[T.eye(3).to_sparse().requires_grad_()]", "requires dense parameter tensors"))],
    Script("scale_grad_by_freq is refused with a sparse gradient", """
w = T.ones(4, 2, requires_grad=True)
T.nn.functional.embedding(T.tensor([1]), w, sparse=True, scale_grad_by_freq=True).sum().backward()
""", raises="scale_grad_by_freq not supported with sparse gradients"),
    Script("deepcopy and pickle", f"""{HEAD}
import copy, pickle
a, b, c = copy.deepcopy(S), pickle.loads(pickle.dumps(S.detach())), pickle.loads(pickle.dumps(T.eye(3).to_sparse_csr()))
""", "text(a); text(b); text(c); a.is_coalesced(); b.is_coalesced()"),
]

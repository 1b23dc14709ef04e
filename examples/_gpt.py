"""A GPT as nanoGPT builds it: pre-norm blocks, learnt positions, the token table shared with the output (Radford et al. 2019)."""
import math

import ringgrad
from ringgrad import nn
from ringgrad.nn import functional as F


class Block(nn.Module):
    """Causal self-attention and a feed-forward network, each behind a layer norm and added to its input.  (B, T, C) -> (B, T, C)."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ln_1, self.ln_2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (p.view(B, T, self.heads, C // self.heads).transpose(1, 2) for p in self.qkv(self.ln_1(x)).split(C, dim=2))
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        x = x + F.dropout(self.proj(y.transpose(1, 2).reshape(B, T, C)), dropout)
        return x + F.dropout(self.down(F.gelu(self.up(self.ln_2(x)))), dropout)


class GPT(nn.Module):
    """Logits of the next token, and with targets the mean cross entropy.  x, targets: (B, T) int64 -> (B, T, vocabulary), or a number."""

    def __init__(self, vocabulary, layers, heads, width, context, dropout):
        super().__init__()
        self.dropout = dropout
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:  # what is added to the residual stream starts smaller, so that its variance does not grow with depth
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if name.endswith(("proj.weight", "down.weight")) else 0.02)

    def forward(self, x, targets=None):
        h = self.token(x) + self.position(ringgrad.arange(x.shape[1], device=x.device))
        h = F.dropout(h, self.dropout, self.training)
        for block in self.blocks:
            h = block(h)
        logits = F.linear(self.ln_f(h), self.token.weight)
        return logits if targets is None else F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

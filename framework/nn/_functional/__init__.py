"""The functions of `ringgrad.nn.functional`, one file per family."""
from . import (
    activation,
    attention,
    conv,
    ctc_loss,
    dropout,
    embedding_bag,
    feed_forward,
    grouped,
    linear_cross_entropy,
    loss,
    margin_loss,
    multi_head_attention,
    normalization,
    padding,
    pooling,
    rotary_embedding,
    sampling,
    sparse,
    unpooling,
    vision,
)

FAMILIES = (activation, attention, conv, ctc_loss, dropout, embedding_bag, feed_forward, grouped, linear_cross_entropy, loss, margin_loss,
            multi_head_attention, normalization, padding, pooling, rotary_embedding, sampling, sparse, unpooling, vision)
NAMES = sorted(name for family in FAMILIES for name in family.__all__)

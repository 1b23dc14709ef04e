"""Functions of neural networks, with torch.nn.functional's names and arguments."""
from . import _functional, grad  # noqa: F401 - torch has the module grad here too
from . import _reduction as _Reduction  # noqa: F401
from ._functional._tuples import _list_with_default, _pair, _single, _triple  # noqa: F401 - torch's helpers, which programs import
from ._functional.activation import *  # noqa: F403
from ._functional.attention import *  # noqa: F403
from ._functional.conv import *  # noqa: F403
from ._functional.ctc_loss import *  # noqa: F403
from ._functional.dropout import *  # noqa: F403
from ._functional.embedding_bag import *  # noqa: F403
from ._functional.feed_forward import *  # noqa: F403
from ._functional.grouped import *  # noqa: F403
from ._functional.linear_cross_entropy import *  # noqa: F403
from ._functional.loss import *  # noqa: F403
from ._functional.margin_loss import *  # noqa: F403
from ._functional.multi_head_attention import *  # noqa: F403
from ._functional.normalization import *  # noqa: F403
from ._functional.padding import *  # noqa: F403
from ._functional.pooling import *  # noqa: F403
from ._functional.rotary_embedding import *  # noqa: F403
from ._functional.sampling import *  # noqa: F403
from ._functional.sparse import *  # noqa: F403
from ._functional.unpooling import *  # noqa: F403
from ._functional.unpooling import _unpool_output_size  # noqa: F401
from ._functional.vision import *  # noqa: F403

__all__ = _functional.NAMES

"""torch.distributed.checkpoint: the state dicts of wrapped models and their optimizers (`state_dict`).

Checkpoints that are spread over files by rank are not built: save what rank 0 holds with `ringgrad.save`.
"""

from . import state_dict

__all__ = ["state_dict"]

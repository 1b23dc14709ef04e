"""Optimizers and learning-rate schedules, in torch.optim's words."""
from . import lr_scheduler, optimizer, swa_utils
from ._adafactor import Adafactor
from ._clip_in_step import clip_in_step
from ._master_weights import keep_master_weights
from ._muon import Muon
from ._stateless import swap_in_optimizer_params_and_state
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD
from .sparse_adam import SparseAdam

__all__ = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop",
           "Rprop", "SGD", "SparseAdam", "clip_in_step", "keep_master_weights", "lr_scheduler", "optimizer", "swa_utils",
           "swap_in_optimizer_params_and_state"]

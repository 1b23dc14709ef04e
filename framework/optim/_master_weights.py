"""Master weights: float32 copies of half-precision parameters, which an optimizer updates in their place."""
from .._backends.sparse_ import SparseArray
from .._core.modes import no_grad
from .._core.tensor import Tensor
from .._dtypes import is_half

NAME = "master_weight"  # in a parameter's state
OPTION = "master_weights"  # in the options of a group


def keep_master_weights(optimizer):
    """Let `optimizer` keep a float32 copy of each float16 and bfloat16 parameter, update that, and round the result into the parameter.

    Steps that are smaller than the parameters' own digits then add up instead of being lost (Micikevicius et al. 2018, arXiv:1710.03740,
    section 3.1).  The rest of the state is float32 too.  For every optimizer but LBFGS; SGD, Adam and AdamW do all of it in their one launch on a
    GPU.  torch has no such function: there a program keeps the parameters in float32 and lets autocast round them.

        model = GPT(...).to(device, ringgrad.bfloat16)
        optimizer = ringgrad.optim.keep_master_weights(ringgrad.optim.AdamW(model.parameters(), lr=3e-4, fused=True))

    The copies are made in the first step and are part of `state_dict()`, as "master_weight".  Values put into a parameter later by somebody else are
    overwritten by the next step; `optimizer.state.clear()` makes the copies anew.  Returns the optimizer.
    TypeError for an optimizer that does not update one parameter after the other.
    """
    if not hasattr(optimizer, "update_one"):
        raise TypeError(f"keep_master_weights needs an optimizer that updates one parameter after the other, such as SGD or AdamW, not "
                        f"{type(optimizer).__name__}; keep the parameters in float32 and use autocast instead")
    optimizer.defaults[OPTION] = True  # for groups that are added or loaded later
    for group in optimizer.param_groups:
        group[OPTION] = True
    return optimizer


def has_master(p, group):
    """Whether a parameter of a group is updated through a master weight."""
    return OPTION in group and group[OPTION] and is_half(p._data.dtype)


def master_of(optimizer, p, group):
    """The master weight of `p`, made with the rest of its state where there is none."""
    state = optimizer.state[p]
    master = state.get(NAME)
    if master is None:
        master = p.detach().float()
        for key, value in state.items():  # of steps that were taken without one
            if isinstance(value, Tensor) and is_half(value._data.dtype):
                state[key] = value.float()
        if not state:
            optimizer.init_state(state, master, group)
        state[NAME] = master
    return master


def update_through_master(optimizer, p, grad, group):
    """Update the master weight of `p` by the optimizer's rule, and round it into `p`: the definition of what one launch does on a GPU."""
    if type(grad._data) is SparseArray:
        raise RuntimeError("sparse gradients and master weights do not go together: keep this parameter in float32")
    master = master_of(optimizer, p, group)
    optimizer.update(master, grad.float(), optimizer.state[p], group)
    with no_grad():
        p.copy_(master)

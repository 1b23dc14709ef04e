"""torch._subclasses and torch.fx.experimental.proxy_tensor for programs that ask whether a tensor is fake or traced, which none is here."""
from ._refuse import stand_in

__all__ = ["FakeTensor", "FakeTensorMode", "get_proxy_mode", "is_fake"]

FakeTensor = stand_in("torch._subclasses.fake_tensor", "FakeTensor")
FakeTensorMode = stand_in("torch._subclasses.fake_tensor", "FakeTensorMode")


def is_fake(x):
    """False."""
    return False


def get_proxy_mode():
    """None: nothing is being traced."""

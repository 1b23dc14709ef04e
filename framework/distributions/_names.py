"""ringgrad's own functions, as `rg`: formulas here read as a user would write them."""
from types import SimpleNamespace
from typing import Any

from .._methods import PUBLIC

rg: Any = SimpleNamespace(**PUBLIC)

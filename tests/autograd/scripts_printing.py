"""What tensors look like: the same text from repr, str and format, with and without a history."""
from .script import Script


def text(title, make):
    """A script that compares repr and str of one tensor, spelled `make`, where the library's name does not appear."""
    return Script(f"text of {title}", f"""
        T.manual_seed(0)
        x = T.arange(6.0).view(2, 3).requires_grad_()
        t = {make}
        text = repr(t).replace(T.__name__ + ".", "")
        short = str(t).replace(T.__name__ + ".", "")
    """, "text; short")


def with_options(options, make):
    """A script that prints `make` under set_printoptions(options) and puts the options back."""
    return Script(f"text of {make} with {options}", f"""
        x = (T.arange(24.0) * 1.23456789 - 7).view(4, 6).requires_grad_()
        T.set_printoptions({options})
        try:
            text = repr({make}).replace(T.__name__ + ".", "")
        finally:
            T.set_printoptions(profile="default", sci_mode=None)
    """, "text")


SCRIPTS = [
    text("a leaf", "x"), text("a constant", "x.detach()"), text("a product", "x * 2"), text("a sum", "x.sum()"), text("a mean along a dimension", "x.mean(0)"),
    text("a matrix product", "x @ x.t()"), text("a view", "x.view(3, 2)"), text("a row", "x[0]"), text("an element", "x[1, 2]"),
    text("a transpose", "x.transpose(0, 1)"), text("a concatenation", "T.cat([x, x])"), text("a stack", "T.stack([x, x])"),
    text("a piece", "x.split(1)[1]"), text("a part", "x.unbind(1)[2]"), text("the largest", "x.max()"), text("the largest along a dimension", "x.max(1)[0]"),
    text("indices of the largest", "x.max(1)[1]"), text("something clamped", "x.clamp(1, 2)"), text("a softmax", "x.softmax(1)"), text("an exponential", "x.exp()"),
    text("a power", "x ** 2"), text("a difference", "1 - x"), text("a quotient", "x / 3"), text("a negation", "-x"), text("a clone", "x.clone()"),
    text("what was written in place", "(x * 1).mul_(2)"), text("what was copied to", "T.zeros(2, 3).copy_(x)"), text("float64", "x.double()"),
    text("half precision", "x.half()"), text("bfloat16", "x.detach().bfloat16()"), text("integers", "T.arange(3)"), text("int32", "T.arange(3, dtype=T.int32)"),
    text("uint8", "T.tensor([1, 255], dtype=T.uint8)"), text("bools", "x > 2"), text("complex numbers", "T.tensor([1 + 2j, -0.5j])"),
    text("complex numbers with a history", "T.complex(x, x * 2)"), text("complex128", "T.tensor([1 + 2j], dtype=T.complex128)"),
    text("nothing", "T.tensor([])"), text("no rows", "T.zeros(0, 3)"), text("no integers", "T.zeros(2, 0, dtype=T.int64)"), text("a number", "T.tensor(3.5)"),
    text("an integer", "T.tensor(7)"), text("a bool", "T.tensor(True)"), text("a parameter", "T.nn.Parameter(T.ones(2))"),
    text("a frozen parameter", "T.nn.Parameter(T.ones(2), requires_grad=False)"), text("nan and inf", "T.tensor([1.0, float('nan'), float('-inf'), float('inf')])"),
    text("small and large numbers", "T.tensor([1e-8, 1.0, 1e8])"), text("large numbers", "T.tensor([1e10, 2e10])"), text("whole numbers", "T.tensor([1.0, -2.0, 3.0])"),
    text("a long vector", "T.arange(2000.0)"), text("a large matrix", "T.arange(2000.0).view(40, 50)"), text("a large one with a history", "T.arange(3000.0, requires_grad=True) * 2"),
    text("four dimensions", "T.arange(16.0).view(2, 2, 2, 2)"), text("negative numbers", "T.tensor([[-1.5, 2.25], [100.125, -0.001]])"),
    text("a list of tensors", "[x.sum(), x[0]]"), text("a default of float64", "(T.set_default_dtype(T.float64), repr(T.ones(2)), repr(T.ones(2, dtype=T.float32)), T.set_default_dtype(T.float32))"),
    with_options("precision=2", "x"), with_options("precision=8", "x * 2"), with_options("sci_mode=True", "x"), with_options("sci_mode=False", "x * 1e6"),
    with_options("threshold=5, edgeitems=1", "x"), with_options("threshold=5, edgeitems=2", "x[:, 0]"), with_options("linewidth=30", "x * 1"),
    with_options("profile='short'", "x"), with_options("profile='full'", "x.double()"),
    Script("numbers format themselves", """
        x = T.tensor(3.14159, requires_grad=True)
        texts = f"{x.item():.2f}", f"{x.detach():.3f}", "{}".format(x.detach()), f"{T.tensor(5)}", f"{T.tensor(5):04d}"
    """, "texts"),
    Script("formats are refused for more than a number", """
        f"{T.ones(2):.2f}"
    """, raises="unsupported format string"),
]

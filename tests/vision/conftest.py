"""torchvision as the oracle of the vision tests: its Python parts; the operators compiled for another torch are not needed."""
import pytest

pytest.importorskip("PIL", reason="Pillow, an optional library, is not installed")

OPERATORS = ("nms", "qnms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")
_libraries = []


def load_torchvision():
    """torchvision, also where its compiled operators do not fit the torch that is installed; None without it."""
    try:
        import torch
    except ImportError:
        return None
    try:
        import torchvision
    except ImportError:
        return None
    except RuntimeError:  # its operators were compiled for another build: declare them, so that the rest can be imported
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS:
            for operator in (name, f"_{name}_backward"):
                library.define(f"{operator}(Tensor x) -> Tensor")
        _libraries.append(library)
        import torchvision
    return torchvision


@pytest.fixture(scope="session")
def theirs():
    """torchvision, the oracle."""
    found = load_torchvision()
    if found is None:
        pytest.skip("the oracle, torchvision, is not installed")
    return found

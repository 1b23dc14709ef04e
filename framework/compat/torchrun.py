"""torch.distributed.run and torch.distributed.launch: ringgrad's launcher, which takes the same flags."""
import importlib
import sys


def main(args=None):
    """Start ranks as `ringgrad-run` does."""
    return importlib.import_module("ringgrad.launch.cli").main(args)


if __name__ == "__main__":
    sys.exit(main())

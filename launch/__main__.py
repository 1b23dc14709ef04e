"""`python -m ringgrad.launch`: the same as `ringgrad-run`."""
import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Where the tests of this folder find the GPU on the host, its rows, and the table of ops."""
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

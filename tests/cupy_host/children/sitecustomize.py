"""Python runs this file as it starts: a process that tests start gets the same device in the memory of the host (CUPY_HOST, see plugin.py)."""
import os
import sys
from pathlib import Path

if os.environ.get("CUPY_HOST"):
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.cupy_host import stand_in
    del sys.path[0]
    stand_in.install(execute=os.environ["CUPY_HOST"] == "executed")

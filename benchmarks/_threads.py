"""One thread for every library.  The settings are read when NumPy and torch are imported, so this is imported before them."""
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

"""All samples: the tables of `samples_*.py`, one per family, each written beside its ops."""
import importlib
from pathlib import Path

from .sample import Fails

FAMILIES = [importlib.import_module(f".{p.stem}", __package__) for p in sorted(Path(__file__).parent.glob("samples_*.py"))]
ROWS = [row for family in FAMILIES for row in family.SAMPLES]
SAMPLES = [row for row in ROWS if not isinstance(row, Fails)]
FAILS = [row for row in ROWS if isinstance(row, Fails)]

"""Stands in for torchvision until the aliases of ringgrad.compat do."""
import importlib
import sys

importlib.import_module("ringgrad.compat").install()
del sys.modules[__name__]
sys.modules[__name__] = importlib.import_module(__name__)

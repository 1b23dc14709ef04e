"""Stands in for torch until the aliases of ringgrad.compat do."""
import importlib

importlib.import_module("ringgrad.compat").install()

"""The list of packages; everything else stands in pyproject.toml.

setuptools can look packages up below one root only, and ours live below three.
"""
from setuptools import find_packages, setup

FOLDERS = {"ringgrad": "framework", "ringgrad.distributed": "distributed", "ringgrad.launch": "launch"}

setup(
    packages=[name for root, folder in FOLDERS.items() for name in (root, *(f"{root}.{sub}" for sub in find_packages(folder)))],
    package_data={"ringgrad": ["py.typed", "*.pyi", "**/*.pyi", "compat/shadow/*/METADATA", "vision/models/categories/*.txt",
                               "vision/datasets/*.txt"]},
)

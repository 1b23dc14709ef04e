"""The folder that stands on PYTHONPATH while a torch program runs: `import torch` and `import torchvision` find the files here first.

Each of them does nothing but install ringgrad's aliases, which then take its place in `sys.modules`.  Child processes inherit PYTHONPATH, so
DataLoader workers, spawned processes and scripts started by the program see the same torch.
"""

"""The parts of `ringgrad.save` and `ringgrad.load`.

names.py     torch's words for types and functions inside a file
storages.py  which tensors share memory, and how they are made again
pickling.py  objects -> data.pkl
machine.py   data.pkl -> objects, without calling anything that is not on a list
trusted.py   data.pkl -> objects for files that one trusts
archive.py   the zip file around it: records, alignment, checksums
atomic.py    a file is replaced as a whole or not at all
"""

"""A pickle machine that calls nothing but what is on a list.

Python's Unpickler can be told which names to find, but what it finds it will call, and change the attributes of, as the file says.  This
one knows the instructions that data needs, builds plain containers itself, calls only functions that are allowed by name, and sets
attributes only on the two kinds of object that have any.  A file can make it fail, with an UnpicklingError; it cannot make it do anything.
"""
import pickle
import struct
from collections import Counter, OrderedDict

from .allowed import Allowed, check_key, find, opened, settable

_UNPACK = {n: struct.Struct(f) for n, f in (("u1", "<B"), ("u2", "<H"), ("i4", "<i"), ("u4", "<I"), ("u8", "<Q"), ("f8", ">d"))}


class Machine:
    """Reads one pickle.  persistent_load: called with each persistent id."""

    def __init__(self, data, persistent_load):
        self.data, self.at, self.persistent_load = data, 0, persistent_load
        self.stack, self.marks, self.memo = [], [], {}

    def load(self):
        """The object.  UnpicklingError for an instruction, a name or a combination that is not allowed, and for bytes that make no
        sense."""
        try:
            while True:
                code = self.take(1)[0]
                act = _ACTIONS.get(code)
                if act is None:
                    raise pickle.UnpicklingError(f"instruction {bytes([code])!r} at byte {self.at - 1} is not one that data needs")
                if act is _STOP:
                    return opened(self.stack.pop())
                act(self)
        except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise pickle.UnpicklingError(f"the pickle makes no sense before byte {self.at}: {type(error).__name__}: {error}") from None

    # -- bytes ---------------------------------------------------------------------------------------------------------

    def take(self, n):
        """The next n bytes."""
        piece = self.data[self.at:self.at + n]
        if len(piece) != n:
            raise pickle.UnpicklingError("pickle data was truncated")
        self.at += n
        return piece

    def number(self, kind):
        """The next number."""
        layout = _UNPACK[kind]
        return layout.unpack(self.take(layout.size))[0]

    def line(self):
        """Text up to the next line break."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise pickle.UnpicklingError("pickle data was truncated")
        return self.take(end + 1 - self.at)[:-1].decode()

    # -- stack ---------------------------------------------------------------------------------------------------------

    def push(self, value):
        self.stack.append(value)

    def pop_mark(self):
        """What was pushed since the last mark."""
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def pop(self, n):
        """The top n values, the topmost last."""
        if n > len(self.stack):
            raise pickle.UnpicklingError("the stack is empty")
        items = self.stack[len(self.stack) - n:]
        del self.stack[len(self.stack) - n:]
        return items

    # -- containers ----------------------------------------------------------------------------------------------------

    def extend(self, items):
        target = self.stack[-1]
        if type(target) is not list:
            raise pickle.UnpicklingError(f"can only append to lists, not to {type(target).__name__}")
        target.extend([opened(i) for i in items])

    def set_items(self, items):
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise pickle.UnpicklingError(f"can only set items of dicts, not of {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[check_key(key)] = opened(value)

    def add_items(self, items):
        target = self.stack[-1]
        if type(target) is not set:
            raise pickle.UnpicklingError(f"can only add to sets, not to {type(target).__name__}")
        target.update([check_key(i) for i in items])

    # -- names, calls, attributes --------------------------------------------------------------------------------------

    def find(self, module, name):
        if type(module) is not str or type(name) is not str:
            raise pickle.UnpicklingError("a name in the pickle is not text")
        self.push(find(module, name))

    def reduce(self):
        function, args = self.pop(2)
        if type(function) is not Allowed or type(args) is not tuple:
            raise pickle.UnpicklingError(f"the pickle calls {function!r}, which is not a function that loading allows")
        self.push(function.call(args))

    def new_object(self):
        cls, args = self.pop(2)
        if type(cls) is not Allowed or type(args) is not tuple or not isinstance(cls.value, type):
            raise pickle.UnpicklingError(f"the pickle makes an object of {cls!r}, which is not a class that loading allows")
        self.push(cls.new(args))

    def build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        settable(target)(target, state)

    def persistent(self):
        self.push(self.persistent_load(self.stack.pop()))

    def remember(self, slot):
        self.memo[slot] = self.stack[-1]

    def long(self, size):
        self.push(int.from_bytes(self.take(size), "little", signed=True))


_STOP = object()
_TABLE = {
    pickle.PROTO: lambda m: m.take(1),
    pickle.FRAME: lambda m: m.take(8),
    pickle.STOP: _STOP,
    pickle.MARK: lambda m: m.marks.append(len(m.stack)),
    pickle.POP: lambda m: m.stack.pop() if len(m.stack) > (m.marks[-1] if m.marks else 0) else m.marks.pop(),
    pickle.POP_MARK: lambda m: m.pop_mark(),
    pickle.DUP: lambda m: m.push(m.stack[-1]),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.BININT: lambda m: m.push(m.number("i4")),
    pickle.BININT1: lambda m: m.push(m.number("u1")),
    pickle.BININT2: lambda m: m.push(m.number("u2")),
    pickle.LONG1: lambda m: m.long(m.number("u1")),
    pickle.LONG4: lambda m: m.long(m.number("u4")),
    pickle.BINFLOAT: lambda m: m.push(m.number("f8")),
    pickle.SHORT_BINUNICODE: lambda m: m.push(m.take(m.number("u1")).decode("utf-8", "surrogatepass")),
    pickle.BINUNICODE: lambda m: m.push(m.take(m.number("u4")).decode("utf-8", "surrogatepass")),
    pickle.BINUNICODE8: lambda m: m.push(m.take(m.number("u8")).decode("utf-8", "surrogatepass")),
    pickle.SHORT_BINBYTES: lambda m: m.push(bytes(m.take(m.number("u1")))),
    pickle.BINBYTES: lambda m: m.push(bytes(m.take(m.number("u4")))),
    pickle.BINBYTES8: lambda m: m.push(bytes(m.take(m.number("u8")))),
    pickle.BYTEARRAY8: lambda m: m.push(bytearray(m.take(m.number("u8")))),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE1: lambda m: m.push(tuple(m.pop(1))),
    pickle.TUPLE2: lambda m: m.push(tuple(m.pop(2))),
    pickle.TUPLE3: lambda m: m.push(tuple(m.pop(3))),
    pickle.TUPLE: lambda m: m.push(tuple(m.pop_mark())),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.LIST: lambda m: m.push(m.pop_mark()),
    pickle.APPEND: lambda m: m.extend(m.pop(1)),
    pickle.APPENDS: lambda m: m.extend(m.pop_mark()),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.SETITEM: lambda m: m.set_items(m.pop(2)),
    pickle.SETITEMS: lambda m: m.set_items(m.pop_mark()),
    pickle.EMPTY_SET: lambda m: m.push(set()),
    pickle.ADDITEMS: lambda m: m.add_items(m.pop_mark()),
    pickle.FROZENSET: lambda m: m.push(frozenset([check_key(i) for i in m.pop_mark()])),
    pickle.BINGET: lambda m: m.push(m.memo[m.number("u1")]),
    pickle.LONG_BINGET: lambda m: m.push(m.memo[m.number("u4")]),
    pickle.BINPUT: lambda m: m.remember(m.number("u1")),
    pickle.LONG_BINPUT: lambda m: m.remember(m.number("u4")),
    pickle.MEMOIZE: lambda m: m.remember(len(m.memo)),
    pickle.GLOBAL: lambda m: m.find(m.line(), m.line()),
    pickle.STACK_GLOBAL: lambda m: m.find(*m.pop(2)),
    pickle.REDUCE: Machine.reduce,
    pickle.NEWOBJ: Machine.new_object,
    pickle.BUILD: Machine.build,
    pickle.BINPERSID: Machine.persistent,
}
_ACTIONS = {code[0]: act for code, act in _TABLE.items()}

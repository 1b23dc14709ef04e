"""What the source of a program asks of torch, read from its syntax tree; nothing of it is run."""
import ast
from dataclasses import dataclass

from ._tables import ROOTS

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_GUARDS = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException", "NameError"}


@dataclass(frozen=True)
class Use:
    """One name of torch (dotted, or "Tensor.x" for an attribute of something unknown) and the line that asks for it.

    guarded: inside a `try` whose handlers catch the error, or behind `hasattr`: the program has another way.
    """

    name: str
    line: int
    guarded: bool = False


def uses(source, filename="<source>"):
    """(uses, names that the source itself defines as functions, classes or attributes).  SyntaxError where it is not Python 3."""
    scanner = _Scanner()
    tree = ast.parse(source, filename)
    scanner.visit(tree)
    return scanner.found, _defined(tree)


def _defined(tree):
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.ClassDef):
            names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names


def dotted(node):
    """("torch", ["nn", "Linear"]) of `torch.nn.Linear`; None for what does not begin with a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, parts[::-1]) if isinstance(node, ast.Name) else None


class _Scanner(ast.NodeVisitor):
    """Follows the names that torch's modules and functions go by, scope by scope."""

    def __init__(self):
        self.found = []
        self._scopes = [{}]  # local name -> torch's dotted name, or None for a name of something else
        self._guards = 0

    # -- what the names mean ---------------------------------------------------------------------------------------------

    def _meaning(self, name):
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _note(self, name, node):
        self.found.append(Use(name, node.lineno, self._guards > 0))

    def visit_Import(self, node):
        """`import torch.nn as nn`."""
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root in ROOTS:
                self._note(alias.name, node)
            meaning = (alias.name if alias.asname else root) if root in ROOTS else None
            self._scopes[-1][alias.asname or root] = meaning

    def visit_ImportFrom(self, node):
        """`from torch.nn import functional as F`."""
        ours = not node.level and (node.module or "").partition(".")[0] in ROOTS
        for alias in node.names:
            if not ours or alias.name == "*":
                if ours:
                    self._note(node.module, node)
                self._scopes[-1][alias.asname or alias.name] = None
                continue
            name = f"{node.module}.{alias.name}"
            self._note(name, node)
            self._scopes[-1][alias.asname or alias.name] = name

    def visit_Assign(self, node):
        """`Variable = torch.autograd.Variable` makes Variable another name of it."""
        self.visit(node.value)
        meaning = self._named(node.value) if isinstance(node.value, (ast.Attribute, ast.Name)) else None
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._scopes[-1][target.id] = meaning
            else:
                self.visit(target)

    def _named(self, node):
        path = dotted(node)
        meaning = self._meaning(path[0]) if path else None
        return ".".join([meaning, *path[1]]) if meaning else None

    # -- uses ------------------------------------------------------------------------------------------------------------

    def visit_Attribute(self, node):
        """`torch.nn.Linear`, or `x.addcmul`, of which only the last name is known."""
        name = self._named(node)
        if name:
            if not isinstance(node.ctx, ast.Store):
                self._note(name, node)
            return
        path = dotted(node)
        known_other = path is not None and path[0] in self._imported_elsewhere()
        if isinstance(node.ctx, ast.Load) and not known_other:
            self._note(f"Tensor.{node.attr}", node)
        self.visit(node.value)

    def _imported_elsewhere(self):
        return {name for name, meaning in self._scopes[0].items() if meaning is None}

    def visit_Call(self, node):
        """`getattr(torch, "x")` asks for torch.x; with a default, and in hasattr, it has another way."""
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) == 2:
            name = self._named(node.args[0]) if isinstance(node.args[0], (ast.Name, ast.Attribute)) else None
            if name and isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
                self._note(f"{name}.{node.args[1].value}", node)
        self.generic_visit(node)

    # -- guards and scopes -----------------------------------------------------------------------------------------------

    def visit_Try(self, node):
        """The body is guarded where a handler catches what a missing name raises."""
        caught = {n.id for h in node.handlers for n in ast.walk(h.type or ast.Name("Exception")) if isinstance(n, ast.Name)}
        guarded = bool(caught & _GUARDS)
        self._guards += guarded
        for child in node.body:
            self.visit(child)
        self._guards -= guarded
        for child in [*node.handlers, *node.orelse, *node.finalbody]:
            self.visit(child)

    def visit_If(self, node):
        """`if hasattr(torch, "x"):` guards both branches."""
        self._guarded_by_test(node)

    def visit_IfExp(self, node):
        """The same, as an expression."""
        self._guarded_by_test(node)

    def _guarded_by_test(self, node):
        asks = any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "hasattr" for n in ast.walk(node.test))
        self._guards += asks
        self.generic_visit(node)
        self._guards -= asks

    def visit(self, node):
        """A function or comprehension has names of its own, which hide those outside."""
        if not isinstance(node, _SCOPES):
            return super().visit(node)
        self._scopes.append(dict.fromkeys(_bound(node)))
        self.generic_visit(node)
        self._scopes.pop()
        return None


def _bound(scope):
    """The names that a function or comprehension binds by its arguments, loops, assignments and `with`."""
    names = {a.arg for a in ast.walk(scope) if isinstance(a, ast.arg)} if hasattr(scope, "args") else set()
    globals_ = {n for node in ast.walk(scope) if isinstance(node, ast.Global) for n in node.names}
    stack = list(ast.iter_child_nodes(scope))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, (*_SCOPES, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return names - globals_

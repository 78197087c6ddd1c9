"""Make the device's sources small enough to type into a board with a few KB. The statements stay the same.

Comments, docstrings and imports are dropped. The wanted functions, classes and methods keep their code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection
from importlib import resources
from typing import Any


def statements(module: str) -> list[ast.stmt]:
    """Return the top-level statements of a module of the device package, including those in an ``except``."""
    text = (resources.files("tpsgd") / f"{module}.py").read_text(encoding="utf-8")
    found: list[ast.stmt] = []
    for node in ast.parse(text).body:
        found += [s for handler in node.handlers for s in handler.body] if isinstance(node, ast.Try) else [node]
    return found


def pieces(module: str, names: Collection[str]) -> list[str]:
    """Return a compact source text for each wanted definition of a module, in file order.

    Parameters
    ----------
    module : str
        A module of the device package.
    names : collection of str
        Functions, classes, methods (``Class.method``) and assigned names. A class that is named itself is taken whole.
        Methods can be taken one by one, because compiling a long class needs more memory than keeping it.
    """
    found: list[str] = []
    left = set(names)
    for node in statements(module):
        if isinstance(node, ast.ClassDef) and node.name not in left:
            methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and f"{node.name}.{m.name}" in left]
            left -= {f"{node.name}.{m.name}" for m in methods}
            if methods:
                found.append(f"class {node.name}:pass\n")
            found += [f"{_compact(m)}{node.name}.{m.name}={m.name}\n" for m in methods]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in left:
            left.discard(node.name)
            found.append(_compact(node))
        elif isinstance(node, ast.Assign):
            targets = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            if targets & left:
                left -= targets
                found.append(_compact(node))
    if left:
        raise KeyError(f"{module} has no {sorted(left)}")
    return found


def _compact(node: ast.stmt) -> str:
    """Return the source of a node without docstrings and with an indentation of one."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    text = ast.unparse(node)
    text = re.sub(r"^( {4})+", lambda m: " " * (len(m[0]) // 4), text, flags=re.MULTILINE)
    return re.sub(r", (?=\S)", ",", text) + "\n"


_CONDITIONS = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"]
_ARITHMETIC = [
    "and_", "eor", "lsl", "lsr", "asr", "adc", "sbc", "ror", "tst", "neg", "cmp", "cmn", "orr", "mul", "bic", "mvn",
]  # fmt: skip
_IMMEDIATE = {"mov": 0x2000, "cmp": 0x2800, "add": 0x3000, "sub": 0x3800}
_SHIFT = {"lsl": 0x0000, "lsr": 0x0800, "asr": 0x1000}
_THREE = {"add": 0x1800, "sub": 0x1A00}
_MEMORY = {
    "str": (0x6000, 4), "ldr": (0x6800, 4), "strb": (0x7000, 1), "ldrb": (0x7800, 1), "strh": (0x8000, 2),
    "ldrh": (0x8800, 2),
}  # fmt: skip


def assembled(module: str, names: Collection[str]) -> list[str]:
    """Return :func:`pieces` of asm_thumb functions, with their instructions assembled on the host.

    On the board, the parse tree of the longest kernel takes seven kilobytes; a list of numbers takes one.
    """
    found = []
    for node in statements(module):
        if isinstance(node, ast.FunctionDef) and node.name in names and node.decorator_list:
            registers = ",".join([a.arg for a in node.args.args])
            words = [str(word) for word in _assemble([s.value for s in node.body if isinstance(s, ast.Expr)])]
            rows = [",".join(words[at : at + 24]) for at in range(0, len(words), 24)]
            body = "".join([f" data(2,{row})\n" for row in rows])
            found.append(f"@micropython.asm_thumb\ndef {node.name}({registers}):\n{body}")
    return found


def _assemble(calls: list[Any]) -> list[int]:
    """Return the halfwords of a list of assembler calls."""
    labels: dict[str, int] = {}
    at = 0
    for call in calls:
        if call.func.id == "label":
            labels[call.args[0].id] = at
        else:
            at += len(call.args) - 1 if call.func.id == "data" else 1
    words: list[int] = []
    for call in calls:
        if call.func.id != "label":
            words += _encode(call.func.id, call.args, len(words), labels)
    return words


def _encode(name: str, args: list[Any], at: int, labels: dict[str, int]) -> list[int]:
    """Return the halfwords of one instruction at halfword ``at``."""
    if name == "data":
        return [a.value for a in args[1:]]
    if name in ("push", "pop"):
        return [(0xB400 if name == "push" else 0xBC00) | sum([1 << _register(r) for r in args[0].elts])]
    if name[0] == "b" and isinstance(args[0], ast.Name) and args[0].id in labels:
        offset = labels[args[0].id] - at - 2
        if name == "b":
            return [0xE000 | offset & 0x7FF]
        if not -128 <= offset < 128:
            raise ValueError(f"{name} to {args[0].id}: the branch is too long")
        return [0xD000 | _CONDITIONS.index(name[1:]) << 8 | offset & 0xFF]
    d = _register(args[0])
    if name in _MEMORY:
        code, size = _MEMORY[name]
        base, offset = args[1].elts
        return [code | offset.value // size << 6 | _register(base) << 3 | d]
    last = args[-1]
    constant = last.value if isinstance(last, ast.Constant) else None
    if len(args) == 3:
        if isinstance(constant, int):
            return [_SHIFT[name] | constant << 6 | _register(args[1]) << 3 | d]
        return [_THREE[name] | _register(last) << 6 | _register(args[1]) << 3 | d]
    if isinstance(constant, int):
        return [_IMMEDIATE[name] | d << 8 | constant]
    if name == "mov":
        return [0x4600 | (d & 8) << 4 | _register(last) << 3 | d & 7]
    return [0x4000 | _ARITHMETIC.index(name) << 6 | _register(last) << 3 | d]


def _register(node: ast.Name) -> int:
    """Return the number of a register."""
    return {"lr": 14}.get(node.id) or int(node.id[1:])


#: Names that the micro:bit's firmware already has (pins, pictures, tunes). They cost no memory; any other name costs
#: about twenty bytes.
SPARE = [f"pin{i}" for i in range(17)] + [f"CLOCK{i}" for i in range(1, 13)]
SPARE += ["ODE", "BLUES", "NYAN", "RINGTONE", "FUNK", "PRELUDE", "ENTERTAINER", "BIRTHDAY", "WEDDING", "FUNERAL"]


def shortener(names: Collection[str]) -> Callable[[str], str]:
    """Return a function that replaces the ``names`` in a text with names that the firmware already has."""
    if len(names) > len(SPARE):
        raise ValueError(f"{len(names)} names to replace, but only {len(SPARE)} replacements")
    names = sorted(names)
    new = dict(zip(names, SPARE, strict=False))
    pattern = re.compile(r"\b(" + "|".join(names) + r")\b")
    return lambda text: pattern.sub(lambda m: new[m[0]], text)

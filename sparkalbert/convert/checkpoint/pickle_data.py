"""Reads the data in a pickle without running anything in it.

A pickle is a program. ``pickle.Unpickler`` imports and calls what the program names; this reader interprets the
few instructions that data needs, and refuses every name that its caller does not list.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, NamedTuple

from sparkalbert.errors import CheckpointError

__all__ = ["BoundedFile", "Global", "read_pickle"]

_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS: Final = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"})
_TEXTS: Final = frozenset({"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"})
_TUPLES: Final = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NO_EFFECT: Final = frozenset({"PROTO", "FRAME", "STOP"})


class Global(NamedTuple):
    """A name that a pickle would import and that the caller allows."""

    name: str


class BoundedFile:
    """A binary file that ends with an error after a number of bytes, so that no value in it can fill the memory."""

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        self._file = file
        self._left = max_bytes

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        return self._counted(self._file.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        """Return the next line."""
        return self._counted(self._file.readline(self._left + 1))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            msg = "its pickle is longer than that of any model"
            raise CheckpointError(msg)
        return data


def read_pickle(
    file: BoundedFile,
    calls: Mapping[str, Callable[..., Any]],
    names: frozenset[str] = frozenset(),
    load_persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the value of the pickle at the position of a file.

    Parameters
    ----------
    file
        The file; it is read up to the end of the pickle.
    calls
        Stand-ins for the callables that the pickle may name. They must not trust their arguments.
    names
        Names that may occur in the pickle and are never called.
    load_persistent
        Returns the object of a persistent id.

    Raises
    ------
    CheckpointError
        If the pickle is damaged, or names anything else; the message contains that name.
    """
    machine = _Machine(calls, names, load_persistent)
    try:
        for opcode, argument, _ in pickletools.genops(file):  # type: ignore[arg-type] # it needs no more of a file
            machine.run(opcode.name, argument)
        return machine.stack[-1]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        msg = f"its pickle is damaged ({type(error).__name__}: {error})"
        raise CheckpointError(msg) from error


class _Machine:
    """The stack and the memo of a pickle's program."""

    def __init__(
        self,
        calls: Mapping[str, Callable[..., Any]],
        names: frozenset[str],
        load_persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.stack: list[Any] = []
        self._calls = calls
        self._names = names
        self._load_persistent = load_persistent
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        """Run one instruction."""
        stack = self.stack
        if name in _NUMBERS or name in _TEXTS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            stack.append(tuple(self._popped(_TUPLES[name])))
        elif name not in _NO_EFFECT:
            handler = getattr(self, f"_{name.lower()}", None)
            if handler is None:
                msg = f"its pickle has the instruction {name}, which the weights of a model do not need"
                raise CheckpointError(msg)
            handler(argument)

    def _popped(self, count: int) -> list[Any]:
        start = len(self.stack) - count
        if start < 0:
            msg = "the stack is empty"
            raise ValueError(msg)
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _mark(self, _: None) -> None:
        self._marks.append(len(self.stack))

    def _since_mark(self) -> list[Any]:
        return self._popped(len(self.stack) - self._marks.pop())

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _empty_list(self, _: None) -> None:
        self.stack.append([])

    def _append(self, _: None) -> None:
        self._extend(self._popped(1))

    def _appends(self, _: None) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        _checked(self.stack[-1], list).extend(values)

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _setitem(self, _: None) -> None:
        self._update(self._popped(2))

    def _setitems(self, _: None) -> None:
        self._update(self._since_mark())

    def _update(self, values: list[Any]) -> None:
        target = _checked(self.stack[-1], dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_checked(key, (str, int))] = value

    def _binput(self, index: int) -> None:
        self._memo[index] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _binget(self, index: int) -> None:
        self.stack.append(self._memo[index])

    _long_binget = _binget

    def _global(self, names: str) -> None:
        self._add_global(names.replace(" ", "."))

    def _stack_global(self, _: None) -> None:
        module, name = self._popped(2)
        self._add_global(f"{_checked(module, str)}.{_checked(name, str)}")

    def _add_global(self, name: str) -> None:
        if name not in self._calls and name not in self._names:
            msg = (
                f"its pickle imports {name[:200]}, which the weights of a model do not need and which may run code "
                "of its author; nothing of it was run. If you trust it, save its state_dict() alone, as safetensors"
            )
            raise CheckpointError(msg)
        self.stack.append(Global(name))

    def _reduce(self, _: None) -> None:
        function, arguments = self._popped(2)
        self.stack.append(self._calls[_checked(function, Global).name](*_checked(arguments, tuple)))

    def _build(self, _: None) -> None:
        """Drop the attributes of an object, such as ``_metadata`` of a state dict."""
        self._popped(1)

    def _binpersid(self, _: None) -> None:
        if self._load_persistent is None:
            msg = "unexpected persistent id"
            raise ValueError(msg)
        self.stack.append(self._load_persistent(self._popped(1)[0]))


def _checked(value: Any, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind):
        msg = f"unexpected {type(value).__name__}"
        raise TypeError(msg)
    return value

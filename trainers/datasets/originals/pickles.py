"""A uint8 matrix out of a pickled dict, without letting the pickle do anything.

A pickle is a program. Its instructions are looked through first, and only those that build dicts,
lists, texts, numbers and arrays are let pass. When it is run, the few names by which NumPy pickles
an array lead to stand-ins that keep the array's bytes, and any other name is refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np
import numpy.typing as npt

OPCODES = frozenset(
    "PROTO STOP MARK BINPUT LONG_BINPUT BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 "
    "SHORT_BINSTRING BINSTRING BINUNICODE SHORT_BINBYTES BINBYTES "
    "EMPTY_DICT SETITEM SETITEMS EMPTY_LIST APPEND APPENDS "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 GLOBAL REDUCE BUILD".split()
)
"""Of protocols 2 and 3, what dicts of texts, numbers and arrays are made of."""

RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")


def read_matrix(content: bytes, key: bytes, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """uint8 of a shape, the value of a key of the dict that `content` is a pickle of.

    Texts of Python 2 are bytes here, keys too. Raises ValueError where the pickle asks for more
    than data or holds another array, and whatever `pickle` raises for damaged bytes.
    """
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name not in OPCODES:
            raise ValueError(f"the instruction {opcode.name}")
        # The list of what is remembered is made as long as the number says.
        if opcode.name == "LONG_BINPUT" and int(argument or 0) > len(content):
            raise ValueError(f"the instruction LONG_BINPUT {argument}")
    loaded = _DataOnly(io.BytesIO(content), encoding="bytes").load()
    if not isinstance(loaded, dict) or key not in loaded:
        raise ValueError(f"no dict with the key {key!r}")
    array = loaded[key]
    if not isinstance(array, _Array):
        raise ValueError(f"{key!r} is no array")
    return array.checked(shape)


class _DataOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        """A stand-in, made anew each time, as a pickle can set the attributes of what it is given.

        The encode is how bytes are pickled by Python 3 for protocol 2.
        """
        called = f"{module} {name}"
        if called in RECONSTRUCT:
            return lambda *_: _Array()
        if called == "numpy ndarray":
            return None
        if called == "numpy dtype":
            return lambda *arguments: _DType(arguments)
        if called == "_codecs encode":
            return lambda text, _: text.encode("latin1")
        raise ValueError(f"the name {module}.{name}")


class _DType:
    """Stands for the dtype of an array."""

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment, of which uint8 has none."""

    def __str__(self) -> str:
        name = self.arguments[0] if self.arguments else ""
        return name.decode("latin1") if isinstance(name, bytes) else str(name)


class _Array:
    """Stands for an array: keeps (version, shape, dtype, Fortran order, bytes)."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def checked(self, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
        _, found_shape, dtype, fortran, content = self.state
        if not isinstance(content, bytes) or str(dtype) not in ("u1", "|u1"):
            raise ValueError(f"an array of type {dtype}, not u1")
        if found_shape != shape or len(content) != shape[0] * shape[1]:
            raise ValueError(
                f"shape {list(found_shape)} of {len(content):,} bytes, not {list(shape)}"
            )
        array = np.frombuffer(content, dtype=np.uint8)
        return array.reshape(shape, order="F" if fortran else "C")

"""What a detector carries over a restart besides records by row: in: windows and words; out: arrays, and back.

The one law: what does not fit any more is as if nothing had been saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
T = TypeVar("T")


def packed(value: object) -> Array:
    """Anything that msgspec can write, as bytes."""
    return np.frombuffer(msgspec.msgpack.encode(value), np.uint8)


def unpacked(saved: Mapping[str, Array], name: str, kind: type[T]) -> T | None:
    """What `packed` was given under this name; None when it is not there, or is of another kind."""
    if name not in saved:
        return None
    try:
        return msgspec.msgpack.decode(saved[name].tobytes(), type=kind)
    except msgspec.DecodeError:
        return None


def refill(arrays: Mapping[str, Array], saved: Mapping[str, Array]) -> None:
    """Copy saved arrays into the first part of those that are there, if all fit: tables may have grown."""
    known = [name for name in arrays if name in saved]
    for name in known:
        target, source = arrays[name], saved[name]
        alike = source.ndim == target.ndim and source.dtype == target.dtype
        if not alike or any(mine < its for mine, its in zip(target.shape, source.shape, strict=True)):
            return
    for name in known:
        source = saved[name]
        arrays[name][tuple(slice(size) for size in source.shape)] = source


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Names with a prefix in front of them."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def of(prefix: str, saved: Mapping[str, Array]) -> dict[str, Array]:
    """What was saved under a prefix, by its own names."""
    return {name[len(prefix) + 1 :]: array for name, array in saved.items() if name.startswith(f"{prefix}.")}

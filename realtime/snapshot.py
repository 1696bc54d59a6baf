"""What a pipeline remembers, as JSON values and back, bit for bit: so a killed run can go on (any thread).

Numbers, arrays, containers, and objects of the classes in `_MODULES` are known; anything else is an error, here and
not later. Reading makes such objects from their fields without running any code of the file's choice.
"""

from __future__ import annotations

import base64
import importlib
from dataclasses import is_dataclass
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

_MODULES: Final = (
    "engines.geometry.crop",
    "engines.geometry.pinhole",
    "engines.output",
    "realtime.config",
    "realtime.camera_space.fusion",
    "realtime.camera_space.smoothing",
    "realtime.tracking.tracker",
)
"""Where the classes of a pipeline's state live."""
_MAX_ARRAY_BYTES: Final = 1 << 20
_KIND: Final = "kind"


def freeze(value: Any) -> Any:
    """JSON values (see `json.dumps`, with NaN and infinities) that say all of `value`.

    Raises TypeError, naming the type, for what could not be read back the same.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _freeze_array(value)
    if type(value) in (list, tuple):
        return {_KIND: type(value).__name__, "items": [freeze(item) for item in value]}
    if type(value) is dict:
        return {_KIND: "dict", "items": [[freeze(key), freeze(item)] for key, item in value.items()]}
    cls = type(value)
    if cls.__module__ not in _MODULES or cls.__qualname__ != cls.__name__:
        raise TypeError(f"{cls.__module__}.{cls.__qualname__} cannot be kept; add its module to realtime/snapshot.py")
    name = f"{cls.__module__}:{cls.__name__}"
    if isinstance(value, BaseModel):
        return {_KIND: "settings", "class": name, "fields": value.model_dump(mode="json")}
    return {_KIND: "object", "class": name, "fields": {key: freeze(item) for key, item in vars(value).items()}}


def thaw(data: Any) -> Any:
    """The value that `freeze` was given. Raises ValueError if `data` was not made by it."""
    if not isinstance(data, dict):
        if isinstance(data, list):
            raise ValueError("a list without its kind")
        return data
    try:
        match data[_KIND]:
            case "array":
                return _thaw_array(data)
            case "list":
                return [thaw(item) for item in data["items"]]
            case "tuple":
                return tuple(thaw(item) for item in data["items"])
            case "dict":
                return {thaw(key): thaw(item) for key, item in data["items"]}
            case "settings" | "object":
                return _thaw_object(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"damaged ({error})") from error
    raise ValueError(f"unknown kind {data[_KIND]!r}")


def _freeze_array(value: Any) -> dict[str, Any]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.nbytes > _MAX_ARRAY_BYTES:
        raise TypeError(f"an array of {array.dtype} with {array.nbytes} bytes cannot be kept")
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    scalar = isinstance(value, np.generic)
    return {_KIND: "array", "dtype": array.dtype.str, "shape": list(array.shape), "scalar": scalar, "bytes": text}


def _thaw_array(data: dict[str, Any]) -> Any:
    dtype = np.dtype(str(data["dtype"]))
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {dtype}")
    array = np.frombuffer(base64.b64decode(data["bytes"], validate=True), dtype).reshape(data["shape"]).copy()
    return array[()] if data["scalar"] else array


def _thaw_object(data: dict[str, Any]) -> Any:
    module, _, name = str(data["class"]).partition(":")
    if module not in _MODULES:
        raise ValueError(f"a class of {module}")
    cls = getattr(importlib.import_module(module), name)
    if not isinstance(cls, type) or cls.__module__ != module:
        raise ValueError(f"{name} is no class of {module}")
    if data[_KIND] == "settings":
        if not issubclass(cls, BaseModel):
            raise ValueError(f"{name} holds no settings")
        return cls.model_validate(data["fields"])
    fields = {str(key): thaw(item) for key, item in data["fields"].items()}
    if is_dataclass(cls) and set(fields) != set(cls.__dataclass_fields__):
        raise ValueError(f"{name} with other fields")
    made: Any = object.__new__(cls)
    vars(made).update(fields)
    return made

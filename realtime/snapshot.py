"""What a pipeline remembers, as JSON values and back, bit for bit: so a killed run can go on (any thread).

States are frozen dataclasses of numbers, texts, arrays and each other; their types say what a file may hold, and
pydantic reads nothing else. JSON writes a float so that the same bits come back.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

_MOST_NUMBERS: Final = 4096
S = TypeVar("S")


class Stored:
    """Marks an array of float64 in a state: `Annotated[NDArray[np.float64], Stored(21, 2)]`; no shape means any."""

    def __init__(self, *shape: int) -> None:
        self._shape = shape

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic how such an array is read and written."""
        write = core_schema.plain_serializer_function_ser_schema(_numbers)
        return core_schema.no_info_plain_validator_function(self._read, serialization=write)

    def _read(self, value: Any) -> NDArray[np.float64]:
        try:
            array = np.array(value, np.float64)
        except TypeError as error:
            raise ValueError("no numbers") from error
        if array.size > _MOST_NUMBERS or (self._shape and array.shape != self._shape):
            raise ValueError(f"an array of shape {array.shape}")
        return array


def freeze(state: Any) -> Any:
    """JSON values (see `json.dumps`, with NaN and infinities) that say all of a state."""
    return TypeAdapter(type(state)).dump_python(state)


def thaw(kind: type[S], data: Any) -> S:
    """The state of that class that `freeze` was given. Raises ValueError, in one line, if `data` is none."""
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}") from error


def _numbers(array: NDArray[np.float64]) -> list[Any]:
    return array.tolist()

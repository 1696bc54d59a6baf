"""Reading annotation files: every failure is one line with the file's name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engines.errors import UserError


def read_json(path: Path, each_object: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The content of a JSON file; raises UserError if it is missing or damaged.

    `each_object` is given every object as soon as it is read, and gives what takes its place.
    """
    try:
        with path.open("rb") as file:
            return json.load(file, object_hook=each_object)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); see python -m training.prepare") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, not JSON ({error}); fetch the file again") from error


@contextmanager
def content_of(path: Path) -> Iterator[None]:
    """Turn what goes wrong while taking a file's content apart into a UserError that names the file."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        detail = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path}: not the annotations this reader knows ({detail}); fetch the file again") from error


def first_existing(candidates: Iterable[Path], what: str) -> Path:
    """The first of the paths that is there; raises UserError naming the first one."""
    paths = list(candidates)
    for path in paths:
        if path.exists():
            return path
    raise UserError(f"{paths[0]}: no such {what}; see python -m training.prepare")


def read_coco(
    path: Path, each_object: Callable[[dict[str, Any]], Any] | None = None
) -> tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]:
    """(images by id, annotations) of a COCO-style file; an annotation of an unknown image is an error.

    `each_object` as in `read_json`.
    """
    content = read_json(path, each_object)
    with content_of(path):
        images = {int(image["id"]): image for image in content["images"]}
        annotations = list(content["annotations"])
        strays = [a["id"] for a in annotations if int(a["image_id"]) not in images]
    if strays:
        raise UserError(f"{path}: annotation {strays[0]} belongs to a picture that is not in the file; fetch it again")
    return images, annotations

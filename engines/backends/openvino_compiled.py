"""A network of OpenVINO's for several batch sizes, each compiled when it is wanted (one thread calls)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from engines.contract import Say
from engines.errors import UserError

BEGIN_AFTER: Final = 30
"""So many calls of a size more than of larger ones, and it is compiled: a second of a camera ..."""
TAKE_AFTER: Final = 90
"""... and from so many on its own network answers. Calls are counted, no time is, so that results never depend on the
machine: an answer may differ by a rounding between the networks."""


class Compiled:
    """`compiled(crops)` -> what the network gives for (B, S, S, 3) uint8 crops; buffers are kept from call to call.

    Each size takes 50 MB. The largest of `at_once` is compiled at once, its others in a thread: half a second each, in
    which camera, detector and windows start; who needs one that is not ready waits for it. A size that is not among
    them goes through a larger network, whose other places stay empty, and is compiled if it is asked for often; where
    it cannot be, because somebody has emptied the cache meanwhile, the larger one goes on, which `say` gets to read.
    """

    def __init__(
        self,
        compile_for: Callable[[int], ov.CompiledModel],
        batches: Sequence[int],
        input_px: int,
        at_once: Sequence[int] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self.batches = tuple(batches)
        self._compile_for = compile_for
        self._say = say
        self._instead: dict[int, int] = {}
        first, *others = sorted(at_once or batches, reverse=True)
        self._asked = {batch: 0 for batch in batches if batch not in (first, *others)}
        self._requests: dict[int, Future[ov.InferRequest]] = {batch: Future() for batch in (first, *others)}
        self._crops = {batch: np.zeros((batch, input_px, input_px, 3), np.uint8) for batch in batches}
        self._make([first])
        self._requests[first].result()  # what cannot be compiled is told here
        if others:
            self._make_beside(others)

    def __call__(self, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The outputs in their order, (B, ...) each, valid until the next call; UserError for another batch size."""
        if len(crops) not in self.batches:
            raise UserError(f"a batch of {len(crops)} crops was not compiled; use {self.batches}")
        batch = self._size_for(len(crops))
        request = self._requests[batch].result()
        if batch > len(crops):
            self._crops[batch][: len(crops)] = crops
        request.infer(self._crops[batch] if batch > len(crops) else crops, share_inputs=True)
        return [tensor.data[: len(crops)] for tensor in request.output_tensors]

    def _size_for(self, wanted: int) -> int:
        """The size of the network that answers; compiles one that is worth it."""
        for smaller in (size for size, asked in self._asked.items() if size < wanted and 0 < asked < BEGIN_AFTER):
            self._asked[smaller] -= 1
        if wanted not in self._asked:
            return self._instead.get(wanted, wanted)
        larger = [size for size in self._requests if size > wanted]
        self._asked[wanted] = TAKE_AFTER if not larger else self._asked[wanted] + 1
        if wanted not in self._requests and self._asked[wanted] >= BEGIN_AFTER:
            self._requests[wanted] = Future()
            self._make_beside([wanted])
        if self._asked[wanted] < TAKE_AFTER:
            return min(larger)
        del self._asked[wanted]
        failed = self._requests[wanted].exception() if larger else None  # waits for it
        if failed is not None:
            self._instead[wanted] = min(larger)
            self._say(f"{failed}: going on with the network for {min(larger)} crops, slower for {wanted}")
        return self._instead.get(wanted, wanted)

    def _make_beside(self, batches: Sequence[int]) -> None:
        # No daemon: a process that ends while OpenVINO compiles is aborted; it waits the half second.
        threading.Thread(target=self._make, args=(batches,), name="compiling").start()

    def _make(self, batches: Sequence[int]) -> None:
        for batch in batches:
            try:
                request = self._compile_for(batch).create_infer_request()
                # the first call of each allocates
                request.infer([self._crops[batch]])
            except BaseException as error:  # noqa: BLE001 - it is raised again where it is needed
                self._requests[batch].set_exception(error)
            else:
                self._requests[batch].set_result(request)

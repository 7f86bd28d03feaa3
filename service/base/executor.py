"""An executor for blocking calls that may never return.

Neither stopping nor the end of the process waits for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

MAX_THREADS: Final = 32
STOP_S: Final = 1.0
"""How long stopping waits for calls that have not returned."""

P = ParamSpec("P")
T = TypeVar("T")


class AbandoningExecutor(ThreadPoolExecutor):
    """Runs calls in daemon threads, each of which ends when no call is waiting; at most ``max_threads`` at once.

    asyncio's default executor waits for every call when its loop is closed, and the interpreter does so again: a single
    file that does not answer would keep the process alive for ever. This one waits for at most ``stop_s`` seconds.
    """

    def __init__(self, *, max_threads: int = MAX_THREADS, stop_s: float = STOP_S) -> None:
        # The event loop accepts executors of this base class only, which starts no thread before a call of its submit().
        super().__init__(max_workers=max_threads)
        self._most = max_threads
        self._stop_s = stop_s
        self._changed = threading.Condition()
        self._calls: deque[Callable[[], None]] = deque()
        self._count = 0
        self._stopped = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` in a thread, as :meth:`concurrent.futures.Executor.submit` does."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
                future.set_exception(error)

        with self._changed:
            if self._stopped:
                raise RuntimeError("cannot run anything after shutdown")
            if self._count < self._most:
                threading.Thread(target=self._run, args=(call,), name="blocking call", daemon=True).start()
                self._count += 1
            else:
                self._calls.append(call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls, and ``wait`` a limited time for those that run.

        Calls that wait for a thread are dropped.
        """
        del cancel_futures
        with self._changed:
            self._stopped = True
            self._calls.clear()
            if wait:
                self._changed.wait_for(lambda: not self._count, self._stop_s)

    def _run(self, call: Callable[[], None] | None) -> None:
        while call is not None:
            call()
            with self._changed:
                call = self._calls.popleft() if self._calls else None
                if call is None:
                    self._count -= 1
                    self._changed.notify_all()


async def run_abandonable(call: Callable[[], T]) -> T:
    """Run ``call`` in a thread and return its result; when the daemon stops, nothing waits for it.

    For calls that may be cut off at any point, as by a kill, and that may never return, such as those to storage.
    """
    return await asyncio.get_running_loop().run_in_executor(_UNATTENDED, call)


_UNATTENDED: Final = AbandoningExecutor()

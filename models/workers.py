"""Independent tasks spread over the cores of this machine or over a cluster; results as they come."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import IMapIterator
from multiprocessing.process import BaseProcess
from typing import Any, Final, TypeVar

import joblib

from stinger.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")

LOCAL: Final = "local"
"""Forked processes on Linux (they start at once, with everything imported), else joblib's loky.

macOS can fork as well, but its own libraries for arithmetic may not survive that.
"""

_LOOK_EVERY_S: Final = 1.0
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a process."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does the work. ``jobs`` at a time, 0 for all cores (of a cluster: all it has).

    ``backend`` is :data:`LOCAL` or any joblib backend: ``loky``, ``threading``, ``multiprocessing``, ``dask``, ``ray``, or
    one that was registered. ``scheduler`` is the address that ``dask`` needs, such as ``tcp://10.0.0.5:8786``.
    """

    jobs: int = 0
    backend: str = LOCAL
    scheduler: str | None = None


def run_parallel(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers
) -> Generator[Result, None, None]:
    """``function`` of each task, in the order they are done; begun in the order given, so long ones belong first.

    ``function`` must be picklable for anything but local work, and tasks and results always. Closing the iterator, or
    an exception such as ``KeyboardInterrupt`` inside it, ends the workers: an interrupt from the keyboard reaches only
    this process. Raises :class:`InputError` for a backend that does not exist or cannot be reached, and
    for a local worker that dies.
    """
    if workers.scheduler is not None and workers.backend != "dask":
        raise InputError(f"a scheduler belongs to the backend dask, not to {workers.backend}")
    jobs = min(workers.jobs or joblib.cpu_count(), len(tasks))
    if workers.backend == LOCAL and jobs <= 1:
        yield from map(function, tasks)
    elif workers.backend == LOCAL and sys.platform == "linux":
        yield from _fork(function, tasks, jobs)
    elif workers.backend == "dask":
        yield from _dask(function, tasks, workers)
    else:
        backend = "loky" if workers.backend == LOCAL else workers.backend
        with _configured(backend, workers.jobs or -1):
            yield from _joblib(function, tasks)


_forked_function: Callable[[Any], Any] | None = None


def _fork(function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    context = multiprocessing.get_context("fork")
    before = set(multiprocessing.active_children())
    # A signal that comes while a process forks could be swallowed by what Python does around that: it has to wait.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with warnings.catch_warnings():
            # From 3.12 on Python warns of a fork beside threads. Those here are of BLAS, which starts them anew in a
            # child, and of OpenMP, which does nothing with them in a task that is limited to one thread.
            warnings.simplefilter("ignore", DeprecationWarning)
            # What the initialiser is given is inherited, not pickled: what `function` holds is shared, not copied.
            pool = context.Pool(jobs, initializer=_set_forked_function, initargs=(function,))
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise
    processes = set(multiprocessing.active_children()) - before
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        results = pool.imap_unordered(_call_forked_function, tasks)
        for _ in tasks:
            yield _next(results, processes)
    finally:
        pool.terminate()
        pool.join()


def _next(results: IMapIterator[Result], processes: Iterable[BaseProcess]) -> Result:
    """The next result. A pool waits for ever for what a dead process was at, so those are looked at now and then."""
    while True:
        try:
            return results.next(timeout=_LOOK_EVERY_S)
        except multiprocessing.TimeoutError:
            if any(process.exitcode is not None for process in processes):
                raise InputError("a worker died, perhaps for want of memory: try fewer --jobs") from None


def _set_forked_function(function: Callable[[Any], Any]) -> None:
    global _forked_function  # noqa: PLW0603 - set once, at the start of a worker
    _forked_function = function
    # A terminal sends Ctrl-C to all processes, but the parent ends its workers; what it does about SIGTERM is not for them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """Wait for the end of the process that forked this one, whatever it is of, and end it as well.

    Else a worker of a killed parent goes on to the end of its fit, and holds the parent's locks as long.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call_forked_function(task: Any) -> Any:
    assert _forked_function is not None
    return _forked_function(task)


def _dask(function: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers) -> Iterator[Result]:
    if workers.scheduler is None:
        raise InputError("the backend dask needs the address of its scheduler, such as tcp://10.0.0.5:8786")
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise InputError("the backend dask needs the package distributed: pip install 'stinger-ml[dask]'") from error
    try:
        make_client: Any = Client  # untyped
        client = make_client(workers.scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{workers.scheduler}: no Dask scheduler answers there ({error})") from error
    # Scattered, the function and the data it holds go to each machine once; without, to each task.
    with client, _configured("dask", workers.jobs or -1, client=client, scatter=[function]):
        yield from _joblib(function, tasks)


@contextmanager
def _configured(backend: str, jobs: int, **options: Any) -> Iterator[None]:
    """Make ``backend`` joblib's own for the block."""
    if backend == "ray":
        try:
            from ray.util.joblib import register_ray  # noqa: PLC0415 - brought by whoever has such a cluster
        except ImportError as error:
            raise InputError("the backend ray needs the package ray: pip install ray") from error
        register_ray()
    try:
        config = joblib.parallel_config(backend=backend, n_jobs=jobs, **options)
    except ValueError as error:
        raise InputError(
            f"there is no joblib backend '{backend}': loky, threading, multiprocessing, dask, ray"
        ) from error
    with config:
        yield


def _joblib(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    calls = [joblib.delayed(_call)(function, task) for task in tasks]
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    except ValueError:
        # Backends of the older kind, such as multiprocessing and ray, give everything at the end.
        parallel = joblib.Parallel(batch_size=1)
    with _interrupts_ignored():
        results = parallel(calls)
    yield from results


def _call(function: Callable[[Task], Result], task: Task) -> Result:
    # Else what a task itself does with joblib goes to the cluster too, piece by piece.
    with joblib.parallel_config(backend="sequential"):
        return function(task)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started in the block never see Ctrl-C, which a terminal sends to all of them; their parent ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

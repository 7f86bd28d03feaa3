"""Run independent tasks on the cores of this machine or on a cluster, and yield results as they finish."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import IMapIterator
from multiprocessing.process import BaseProcess
from typing import Any, Final, TypeVar

import joblib

from stinger.errors import InputError, UnavailableError
from stinger.packages import install_command

Task = TypeVar("Task")
Result = TypeVar("Result")

LOCAL: Final = "local"
"""Forked processes on Linux (they start quickly, with everything imported), elsewhere joblib's loky.

macOS can fork as well, but its libraries for linear algebra may crash after a fork.
"""

DASK: Final = "dask"
"""A Dask cluster."""

_CLUSTER_ATTEMPTS: Final = 3
"""How often the tasks that are left are begun again on a cluster that has lost all of its workers."""

_WORKERS_WAIT_S: Final = 30.0

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a process."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Where tasks run: ``jobs`` at a time, 0 for one per core (on a cluster: as many as it has).

    ``backend`` is :data:`LOCAL` or a joblib backend: ``loky``, ``threading``, ``multiprocessing``, ``dask``, ``ray``,
    or a registered one. ``scheduler`` is the address that ``dask`` needs, such as ``tcp://10.0.0.5:8786``. Forked
    processes are checked every ``check_interval_s`` seconds for having died.
    """

    jobs: int = 0
    backend: str = LOCAL
    scheduler: str | None = None
    check_interval_s: float = 1.0


def run_parallel(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers
) -> Generator[Result, None, None]:
    """Yield ``function`` of each task in the order of completion.

    Tasks start in the given order, so put long ones first.

    ``function`` must be picklable except for local work; tasks and results always. Closing the iterator, or an
    exception such as ``KeyboardInterrupt`` inside it, ends the workers; Ctrl-C interrupts only this process. Raises
    :class:`InputError` for a backend that does not exist or cannot be reached, and if a local worker dies. A Dask
    worker that dies is replaced by others; :class:`UnavailableError` is raised if all die again and again.

    >>> list(run_parallel(len, ["a", "bcd"], Workers(jobs=1)))
    [1, 3]
    """
    if workers.scheduler is not None and workers.backend != DASK:
        raise InputError(f"a scheduler belongs to the backend dask, not to {workers.backend}")
    jobs = min(workers.jobs or joblib.cpu_count(), len(tasks))
    if workers.backend == LOCAL and (jobs <= 1 or not _processes_can_share()):
        yield from map(function, tasks)
    elif workers.backend == LOCAL and sys.platform == "linux":
        yield from _fork(function, tasks, jobs, workers.check_interval_s)
    elif workers.backend == DASK:
        yield from _dask(function, tasks, workers)
    else:
        backend = "loky" if workers.backend == LOCAL else workers.backend
        with _configured(backend, workers.jobs or -1):
            yield from _joblib(function, tasks)


def _processes_can_share() -> bool:
    """Return whether the system has the locks that processes share: not in a container without a writable ``/dev/shm``."""
    try:
        multiprocessing.Lock()
    except (OSError, ImportError):
        return False
    return True


_forked_function: Callable[[Any], Any] | None = None


def _fork(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int, check_interval_s: float
) -> Iterator[Result]:
    context = multiprocessing.get_context("fork")
    before = set(multiprocessing.active_children())
    # A signal during a fork could be lost in Python's code around it, so signals are blocked until the workers exist.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with warnings.catch_warnings():
            # From 3.12 on Python warns of a fork in a process with threads. The threads here are those of BLAS, which
            # starts new ones in a child, and of OpenMP, which does not use them in a task that is limited to one
            # thread.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Arguments of the initialiser are inherited, not pickled: the data in `function` is shared, not copied.
            pool = context.Pool(jobs, initializer=_set_forked_function, initargs=(function,))
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise
    processes = set(multiprocessing.active_children()) - before
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        results = pool.imap_unordered(_call_forked_function, tasks)
        for _ in tasks:
            yield _next(results, processes, check_interval_s)
    finally:
        pool.terminate()
        pool.join()


def _next(results: IMapIterator[Result], processes: Iterable[BaseProcess], check_interval_s: float) -> Result:
    """Return the next result. A pool waits for ever for the task of a process that died, so processes are checked."""
    while True:
        try:
            return results.next(timeout=check_interval_s)
        except multiprocessing.TimeoutError:
            if any(process.exitcode is not None for process in processes):
                raise InputError("a worker process died, perhaps out of memory: try fewer --jobs") from None


def _set_forked_function(function: Callable[[Any], Any]) -> None:
    global _forked_function  # noqa: PLW0603 - set once, at the start of a worker
    _forked_function = function
    # A terminal sends Ctrl-C to all processes, but the parent ends its workers. The parent's SIGTERM handler must not
    # run here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """Wait for the end of the parent process, for whatever reason, and end this process as well.

    Otherwise a worker whose parent was killed would continue its fit, and hold the parent's locks meanwhile.
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
        raise InputError("the backend dask needs the address of its scheduler, such as --scheduler tcp://10.0.0.5:8786")
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise InputError(f"the backend dask needs the package distributed: {install_command('dask')}") from error
    try:
        make_client: Any = Client  # untyped
        client = make_client(workers.scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{workers.scheduler}: no Dask scheduler answers there ({error})") from error
    from distributed import KilledWorker  # noqa: PLC0415

    left = dict(enumerate(tasks))
    with client:
        for _ in range(_CLUSTER_ATTEMPTS):
            numbered = partial(_numbered, function)
            try:
                client.wait_for_workers(1, timeout=_WORKERS_WAIT_S)
                # Scattering sends the function and its data to each machine once, instead of with each task.
                with _configured(DASK, workers.jobs or -1, client=client, scatter=[numbered]):
                    for number, result in _joblib(numbered, list(left.items())):
                        del left[number]
                        yield result
            except CancelledError:
                # All workers that had the data were lost: those that take their place get it again. Dask itself repeats
                # the tasks of a lost worker on others that have the data.
                continue
            except TimeoutError as error:
                raise UnavailableError(f"{workers.scheduler}: this cluster has no workers") from error
            except KilledWorker as error:
                raise InputError(
                    f"{workers.scheduler}: several workers died of the same task, perhaps out of memory: {error}"
                ) from error
            return
    raise UnavailableError(
        f"{workers.scheduler}: all of its workers were lost {_CLUSTER_ATTEMPTS} times: try again later"
    )


def _numbered(function: Callable[[Task], Result], item: tuple[int, Task]) -> tuple[int, Result]:
    number, task = item
    return number, function(task)


@contextmanager
def _configured(backend: str, jobs: int, **options: Any) -> Iterator[None]:
    """Make ``backend`` joblib's default within the block."""
    if backend == "ray":
        try:
            from ray.util.joblib import register_ray  # noqa: PLC0415 - not a dependency; installed by users of such a cluster
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
        # Older backends, such as multiprocessing and ray, return all results at the end.
        parallel = joblib.Parallel(batch_size=1)
    with _interrupts_ignored():
        results = parallel(calls)
    yield from results


def _call(function: Callable[[Task], Result], task: Task) -> Result:
    # Otherwise joblib calls within a task would go to the cluster as well.
    with joblib.parallel_config(backend="sequential"):
        return function(task)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes in the block that ignore Ctrl-C, which a terminal sends to all processes.

    The parent ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

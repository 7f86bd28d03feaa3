from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from models.workers import LOCAL, Workers, run_parallel
from stinger.errors import InputError
from tests.helpers.cli import run_program
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT


def add(offset: int, number: int) -> int:
    return offset + number


def fail_on_3(number: int) -> int:
    if number == 3:
        raise InputError("three")
    return number


def die_on_3(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def process_of(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.parametrize("workers", [Workers(), Workers(jobs=1), Workers(jobs=2, backend="threading")])
def test_every_task_is_done_once(workers: Workers) -> None:
    assert sorted(run_parallel(partial(add, 100), range(20), workers)) == list(range(100, 120))


DASK_SCRIPT = """
import operator, sys
from distributed import LocalCluster
from models.workers import Workers, run_parallel

with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, host="tcp://127.0.0.1") as cluster:
    print(*sorted(run_parallel(operator.neg, range(5), Workers(backend="dask", scheduler=cluster.scheduler_address))))
"""


def test_a_dask_cluster_does_every_task_once() -> None:
    pytest.importorskip("distributed")
    # The cluster lives in a process of its own, so that nothing of it outlives this test.
    done = run_program(sys.executable, "-c", DASK_SCRIPT)
    assert done.stdout == "-4 -3 -2 -1 0\n", done.stderr


LOST_WORKERS_SCRIPT = """
import os, signal, sys, threading, time
from distributed import Client, LocalCluster
from models.workers import Workers, run_parallel

def slow(number):
    time.sleep(0.2)
    return -number

def kill_later(pids):
    time.sleep(1.5)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            pids = list(client.run(os.getpid).values())[:int(sys.argv[1])]
        threading.Thread(target=kill_later, args=(pids,), daemon=True).start()
        print(*sorted(run_parallel(slow, range(30), Workers(backend="dask", scheduler=cluster.scheduler_address))))
"""


@pytest.mark.slow
@pytest.mark.parametrize("killed", [1, 2], ids=["one of two", "all"])
def test_tasks_of_killed_dask_workers_are_done_by_others(tmp_path: Path, killed: int) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(LOST_WORKERS_SCRIPT)
    done = run_program(sys.executable, tmp_path / "cluster.py", killed, timeout_s=3 * PATIENCE_S, PYTHONPATH=str(ROOT))
    assert done.stdout == " ".join(str(-number) for number in range(29, -1, -1)) + "\n", done.stderr


def test_a_backend_that_gives_everything_at_the_end_will_do() -> None:
    workers = Workers(jobs=2, backend="multiprocessing")
    assert sorted(run_parallel(partial(add, 1), range(5), workers)) == [1, 2, 3, 4, 5]


def test_no_task_is_no_result() -> None:
    assert list(run_parallel(process_of, [], Workers())) == []


def test_local_work_is_done_by_other_processes() -> None:
    processes = set(run_parallel(process_of, range(6), Workers(jobs=2)))
    assert os.getpid() not in processes
    assert len(processes) == 2


@pytest.mark.parametrize("workers", [Workers(jobs=1), Workers(jobs=2), Workers(jobs=2, backend="threading")])
def test_an_error_of_a_task_is_raised_as_it_is(workers: Workers) -> None:
    with pytest.raises(InputError, match="three"):
        list(run_parallel(fail_on_3, range(6), workers))


def test_a_worker_that_dies_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(InputError, match="a worker process died"):
        list(run_parallel(die_on_3, range(6), Workers(jobs=2, check_interval_s=0.05)))


def test_closing_early_ends_the_workers() -> None:
    results = run_parallel(process_of, range(40), Workers(jobs=2))
    process = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize(
    ("workers", "complaint"),
    [
        (Workers(backend="junk"), "there is no joblib backend 'junk'"),
        (Workers(backend="dask"), "needs the address of its scheduler"),
        (Workers(backend=LOCAL, scheduler="tcp://h:1"), "a scheduler belongs to the backend dask, not to local"),
        (Workers(backend="dask", scheduler="junk://h:1"), "junk://h:1: no Dask scheduler answers there"),
    ],
)
def test_workers_that_cannot_be_had_are_refused(workers: Workers, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        list(run_parallel(process_of, range(3), workers))


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray.util.joblib")])
def test_a_missing_package_is_named(backend: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    scheduler = "tcp://h:1" if backend == "dask" else None
    with pytest.raises(InputError, match=f"the backend {backend} needs the package"):
        list(run_parallel(process_of, range(3), Workers(backend=backend, scheduler=scheduler)))


PARENT = """
import sys, time
from models.workers import Workers, run_parallel

def work(path):
    with open(path, "w") as file:
        import os
        file.write(str(os.getpid()))
    time.sleep(60)

list(run_parallel(work, sys.argv[1:], Workers(jobs=2)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not forked")
def test_killed_parent_takes_its_workers_along(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    with subprocess.Popen([sys.executable, "-c", PARENT, *map(str, files)], cwd=ROOT) as parent:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not all(file.exists() and file.read_text() for file in files):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            parent.kill()
    for file in files:
        deadline = time.monotonic() + PATIENCE_S
        while running(int(file.read_text())):
            assert time.monotonic() < deadline, "a worker outlives its parent"
            time.sleep(0.02)


def running(process: int) -> bool:
    try:
        # One that ended and that nobody has asked about yet does not run.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_where_processes_can_share_no_locks_the_work_is_done_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("multiprocessing.Lock", refuse)
    assert list(run_parallel(abs, [-1, -3], Workers(jobs=2))) == [1, 3]

"""Spread work over processes: results in order of submission, progress reports, an immediate end at Ctrl-C.

The result of a job does not depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tpsgd_host.errors import TpsgdError

Common = TypeVar("Common")
Job = TypeVar("Job")
Result = TypeVar("Result")

#: Works on one job; arguments: what all jobs share, the job, and a callback for the share that is done.
Work = Callable[[Common, Job, Callable[[float], None]], Result]

#: Called with the amount of work that is done.
Progress = Callable[[float], None]

#: Called with the number of a job that has ended, and its result.
Keep = Callable[[int, Result], None]


def kept_nowhere(number: int, result: object) -> None:
    """Do not keep a result."""


@dataclass(frozen=True)
class Crew:
    """Who works on a comparison.

    Attributes
    ----------
    processes : int
        Processes on this computer.
    on : str
        In place of these ``dask://HOST:PORT``, or the name of a joblib backend.
    folder : Path or None
        Where finished jobs are kept, so that a comparison that was stopped does not do them again.
    """

    processes: int = 1
    on: str = ""
    folder: Path | None = None


_EVERY = 0.2  # seconds between two reports of a worker

# One thread per process, because the processes already use all cores.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Workers(Generic[Common, Job, Result]):
    """Processes that work on jobs; a context manager.

    Parameters
    ----------
    work : function
        Defined at the top of a module, so that other processes can import it.
    common : object
        Passed to each process once.
    jobs : int
        Number of processes; 1 uses only this one.
    """

    def __init__(self, work: Work[Common, Job, Result], common: Common, jobs: int) -> None:
        self._work, self._common, self._jobs = work, common, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._reports: Any = None
        self._batch = 0

    def __enter__(self) -> Workers[Common, Job, Result]:
        if self._jobs > 1:
            context = multiprocessing.get_context("spawn")
            self._reports = context.Queue()
            self._pool = ProcessPoolExecutor(
                self._jobs, context, _begin, (self._work, self._common, self._reports, os.getpid())
            )
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is None:
            return
        if any(exception):
            _stop(self._pool)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._reports.close()
        self._reports.join_thread()

    def run(
        self, jobs: Sequence[Job], weights: Sequence[float], progress: Progress, keep: Keep[Result] = kept_nowhere
    ) -> list[Result]:
        """Work on all jobs and return their results in the jobs' order.

        Parameters
        ----------
        weights : sequence of float
            Amount of work in each job.
        progress : callable
            Called with the sum of what is done.
        keep : callable
            Called with each result as soon as there is one.
        """
        if self._pool is None:
            return self._run_here(jobs, weights, progress, keep)
        self._batch += 1
        with _single_threaded():
            futures = [self._pool.submit(_apply, self._batch, i, job) for i, job in enumerate(jobs)]
        shares = [0.0] * len(jobs)
        waiting: set[Future[Result]] = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=_EVERY, return_when=FIRST_COMPLETED)
            for i, share in self._news():
                shares[i] = max(shares[i], share)
            for i, future in enumerate(futures):
                if future in done:
                    keep(i, _result(future))
                    shares[i] = 1.0
            progress(sum(share * weight for share, weight in zip(shares, weights, strict=True)))
        return [_result(future) for future in futures]

    def _run_here(
        self, jobs: Sequence[Job], weights: Sequence[float], progress: Progress, keep: Keep[Result]
    ) -> list[Result]:
        results, before = [], 0.0
        for i, (job, weight) in enumerate(zip(jobs, weights, strict=True)):

            def report(share: float, before: float = before, weight: float = weight) -> None:
                progress(before + share * weight)

            results.append(self._work(self._common, job, report))
            keep(i, results[-1])
            before += weight
            progress(before)
        return results

    def _news(self) -> Iterator[tuple[int, float]]:
        """Yield the workers' reports about the present jobs."""
        while True:
            try:
                batch, number, share = self._reports.get_nowait()
            except queue.Empty:
                return
            if batch == self._batch:  # a report may arrive after its job has ended
                yield number, share


def cores() -> int:
    """Return how many processes this computer can run at once."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except BrokenProcessPool as error:
        hint = "It probably ran out of memory: try again with --jobs 1."
        raise TpsgdError("a process of the comparison was stopped from outside", hint) from error


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool's processes at once; they have nothing to save."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Limit libraries to one thread in processes started inside the block."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_state: dict[str, Any] = {}


def _begin(work: Any, common: Any, reports: Any, parent: int) -> None:
    """Prepare a process: it leaves Ctrl-C to the parent, and ends with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _state.update(work=work, common=common, reports=reports)


def _end_with(parent: int) -> None:
    """End this process when ``parent`` has ended, in whatever way; else it would wait for a job for ever."""
    while os.getppid() == parent:
        time.sleep(_EVERY)
    os._exit(1)


def _apply(batch: int, number: int, job: Any) -> Any:
    """Work on a job in a process of the pool."""
    last = time.monotonic()

    def report(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            _state["reports"].put((batch, number, share))

    return _state["work"](_state["common"], job, report)

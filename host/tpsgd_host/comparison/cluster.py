"""Work on a Dask cluster, or on what else joblib reaches: results in order; what a lost worker had begins anew."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Generic

from tpsgd_host import __version__
from tpsgd_host.comparison.jobs import Common, Crew, Job, Keep, Progress, Result, Work, Workers, kept_nowhere
from tpsgd_host.errors import ConfigError, DependencyError, TpsgdError

#: How often in a row workers may vanish without a single job having ended.
TRIES = 4

#: Seconds to wait for a scheduler, and for its first worker.
PATIENCE = 30

INSTALL = "pip install 'tpsgd[dask]'"


class Cluster(Generic[Common, Job, Result]):
    """Workers of a joblib backend; a context manager with the interface of ``Workers``.

    Parameters
    ----------
    work, common
        As for ``Workers``.
    on : str
        ``dask://HOST:PORT``, or the name of a joblib backend.
    """

    def __init__(self, work: Work[Common, Job, Result], common: Common, on: str) -> None:
        self._work, self._common, self._on = work, common, on
        self._stack = ExitStack()
        self._client: Any = None

    def __enter__(self) -> Cluster[Common, Job, Result]:
        if address := _dask_address(self._on):
            self._client = self._stack.enter_context(_connect(address))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(
        self, jobs: Sequence[Job], weights: Sequence[float], progress: Progress, keep: Keep[Result] = kept_nowhere
    ) -> list[Result]:
        """Work on all jobs; parameters as for ``Workers``. What a vanished worker had under way begins anew."""
        results: dict[int, Result] = {}
        tries = 0
        while len(results) < len(jobs):
            missing = [i for i in range(len(jobs)) if i not in results]
            before = len(results)
            try:
                for i, value in self._attempt(jobs, missing):
                    results[i] = value
                    keep(i, value)
                    progress(sum(weights[j] for j in results))
            except TpsgdError:
                raise
            except Exception as error:  # each backend has its own for a worker that vanished
                tries = tries + 1 if len(results) == before else 1
                if tries == TRIES:
                    said = f"{type(error).__name__}: {error}".splitlines()[0]
                    raise TpsgdError(
                        f"the workers of {self._on} vanished {TRIES} times and ended no job; the last time: {said}",
                        "Have they enough memory? With --out DIR, the same command goes on from the jobs that ended.",
                    ) from error
        return [results[i] for i in range(len(jobs))]

    def _attempt(self, jobs: Sequence[Job], numbers: Sequence[int]) -> Any:
        """Yield number and result of jobs as they end."""
        for i, version, value, error in (self._by_joblib if self._client is None else self._by_dask)(jobs, numbers):
            if version != __version__:
                raise ConfigError(
                    f"a worker of {self._on} has version {version} of tpsgd, this is {__version__}",
                    "Install the same version on all workers.",
                )
            if error is not None:
                raise error
            yield i, value

    def _by_joblib(self, jobs: Sequence[Job], numbers: Sequence[int]) -> Any:
        joblib = _joblib()
        with joblib.parallel_config(self._on):
            calls = (joblib.delayed(_apply)(self._work, self._common, i, pickle.dumps(jobs[i])) for i in numbers)
            yield from joblib.Parallel(-1, return_as="generator_unordered", batch_size=1, pre_dispatch="all")(calls)

    def _by_dask(self, jobs: Sequence[Job], numbers: Sequence[int]) -> Any:
        """Let Dask work, by its own client: there a task that Dask has given up ends with an error."""
        client = self._client
        # What all jobs share lies on each worker; a job goes with its task, which can be repeated anywhere.
        client.wait_for_workers(1, timeout=PATIENCE)  # the last one may have vanished
        common = client.scatter(self._common, broadcast=True, hash=False)
        tasks = [client.submit(_apply, self._work, common, i, pickle.dumps(jobs[i]), pure=False) for i in numbers]
        try:
            for task in _distributed().as_completed(tasks, loop=client.loop):  # else that of a default client, if any
                yield task.result()
        finally:
            client.cancel(tasks)


def workers(
    work: Work[Common, Job, Result], common: Common, crew: int | Crew
) -> Workers[Common, Job, Result] | Cluster[Common, Job, Result]:
    """Return who works on jobs: processes of this computer, or a cluster."""
    if isinstance(crew, int):
        return Workers(work, common, crew)
    return Cluster(work, common, crew.on) if crew.on else Workers(work, common, crew.processes)


def check_backend(on: str) -> None:
    """Raise if ``on`` names no backend, or what it needs is not installed.

    Raises
    ------
    ConfigError, DependencyError
    """
    if _dask_address(on):
        _distributed()
        return
    names = _joblib().parallel.BACKENDS
    if on not in names:
        raise ConfigError(
            f"there is no backend {on!r}", f"Name a Dask scheduler, dask://HOST:PORT, or one of {', '.join(names)}."
        )


def _apply(work: Callable[..., Any], common: Any, number: int, job: bytes) -> tuple[int, str, Any, Exception | None]:
    """Work on a job, on a worker; an error of the job's own comes back as a value: it would fail elsewhere, too."""
    try:
        return number, __version__, work(common, pickle.loads(job), lambda share: None), None
    except Exception as error:
        wrong = error if isinstance(error, TpsgdError) else TpsgdError(f"{type(error).__name__}: {error}")
        return number, __version__, None, wrong


def _dask_address(on: str) -> str:
    """Return the address of a Dask scheduler; empty for another backend."""
    if not on.startswith("dask:"):
        return ""
    if not re.fullmatch(r"dask://[^/\s]+:\d+", on):
        raise ConfigError(f"{on!r} is no address of a scheduler", "Write it like dask://HOST:8786.")
    return "tcp" + on[len("dask") :]


def _joblib() -> Any:
    try:
        import joblib
    except ImportError:
        raise DependencyError("--on needs joblib, which is not installed", INSTALL) from None
    return joblib


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise DependencyError("--on dask://... needs Dask, which is not installed", INSTALL) from None
    return distributed


def _connect(address: str) -> Any:
    """Return a client of the scheduler at ``address``."""
    try:
        client = _distributed().Client(address, timeout=PATIENCE, set_as_default=False)
        client.wait_for_workers(1, timeout=PATIENCE)
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            f"no Dask scheduler with a worker answers at {address} within {PATIENCE} s",
            "Start them: dask scheduler --port 8786, then on each computer dask worker HOST:8786",
        ) from error
    return client

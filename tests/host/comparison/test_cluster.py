"""A comparison on a cluster: the same figures, whatever becomes of its workers; one that was stopped goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from commands import call, fails

from tpsgd_host.adaptation.new_class import GROWTHS, study_new_class
from tpsgd_host.comparison import compare, compare_networks
from tpsgd_host.comparison.cluster import Cluster, check_backend
from tpsgd_host.comparison.finished import FOLDER, Finished, forget, key_of
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.methods import METHODS
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.tasks import load_task

RULES = ("int-tpsgd", "int-frozen")


def figures(comparison):
    """Everything but the seconds."""
    return replace(comparison, entries=tuple(replace(e, seconds=0.0) for e in comparison.entries))


def without_seconds(value):
    if isinstance(value, dict):
        return {key: without_seconds(one) for key, one in value.items() if "seconds" not in key}
    return [without_seconds(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def small(gesture):
    return replace(gesture, epochs=2)


@pytest.fixture(scope="module")
def here(small):
    return compare(small, RULES, seeds=2)


@pytest.fixture(scope="module")
def cluster():
    """Two Dask workers on this computer: the address of their scheduler, and a client."""
    distributed = pytest.importorskip("distributed", reason="no Dask: pip install 'tpsgd[dask]'")
    dask = pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),  # Dask repeats nothing by itself
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as local,
        distributed.Client(local) as client,
    ):
        yield local.scheduler_address, client


@pytest.mark.xdist_group("dask")
def test_a_cluster_gives_the_same_figures_though_a_worker_is_killed(cluster, small, here):
    address, client = cluster
    killed = []

    def progress(done, of, text):
        if done > 0 and not killed:
            killed.extend(client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

    there = compare(small, RULES, seeds=2, jobs=Crew(on=f"dask{address[3:]}"), progress=progress)
    assert len(killed) == 2
    assert figures(there) == figures(here)


@pytest.mark.xdist_group("dask")
def test_the_errors_of_a_job_come_back_at_once(cluster):
    address, _ = cluster
    with (
        Cluster(_refuse, None, f"dask{address[3:]}") as workers,
        pytest.raises(DataError, match="no such thing") as found,
    ):
        workers.run([1, 2], [1.0, 1.0], lambda done: None)
    assert found.value.hint == "look elsewhere"


@pytest.mark.xdist_group("dask")
def test_the_command_reaches_a_cluster_in_a_process_of_its_own(cluster):
    address, _ = cluster  # whose client is the default one of this process
    words = ("compare", "--task", "gesture", "--methods", "int-frozen", "--seeds", "1", "--epochs", "1", "--json")
    command = [sys.executable, "-m", "tpsgd_host", *words, "--on", f"dask{address[3:]}"]
    there = subprocess.run(command, capture_output=True, text=True, check=False)
    assert there.returncode == 0, there.stderr
    assert [without_seconds(one) for one in json.loads(there.stdout)["comparisons"]] == [
        without_seconds(one) for one in json.loads(call(*words))["comparisons"]
    ]


@pytest.mark.xdist_group("dask")
def test_a_study_on_a_cluster_has_the_same_figures(cluster, small):
    address, _ = cluster
    options = {"held_out": ("Running",), "seeds": 1, "counts": (2,), "ways": GROWTHS[:2]}
    there = study_new_class(small, jobs=Crew(on=f"dask{address[3:]}"), **options)
    assert there == study_new_class(small, **options)


def test_networks_that_were_stopped_train_nothing_twice(small, tmp_path):
    class StopError(Exception):
        pass

    def progress(done, of, text):
        if done > of / 4:
            raise StopError

    toml, crew = load_task("gesture").toml, Crew(folder=tmp_path)
    with pytest.raises(StopError):
        compare_networks([small], toml, seeds=1, jobs=crew, progress=progress)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / FOLDER).iterdir()}
    assert kept
    again = compare_networks([small], toml, seeds=1, jobs=crew)
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / FOLDER).iterdir()}
    assert len(now) > len(kept) and {name: now[name] for name in kept} == kept
    assert figures(again.comparison) == figures(compare_networks([small], toml, seeds=1).comparison)


def _refuse(common, job, report):
    raise DataError("no such thing", "look elsewhere")


def test_a_comparison_that_was_stopped_trains_nothing_twice(small, here, tmp_path):
    class StopError(Exception):
        pass

    def progress(done, of, text):
        if done > of / 3:
            raise StopError

    crew = Crew(folder=tmp_path)
    with pytest.raises(StopError):
        compare(small, RULES, seeds=2, jobs=crew, progress=progress)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / FOLDER).iterdir()}
    assert len(kept) > 3
    again = compare(small, RULES, seeds=2, jobs=crew)
    assert figures(again) == figures(here)
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / FOLDER).iterdir()}
    assert len(now) > len(kept) and {name: now[name] for name in kept} == kept
    forget(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_result_depends_on_is_in_its_name(small, tmp_path):
    part = [small.config, small.train, (1, 2), (9.0,), 4]
    name = key_of("bp", *part)
    assert name == key_of("bp", *part) != key_of("fa", *part)
    for i, other in enumerate([replace(small.config, seed=77), small.test, (1,), (8.0,), 5]):
        assert key_of("bp", *part[:i], other, *part[i + 1 :]) != name
    values = small.train.values.copy()
    values[0, 0, 0] += 1e-3
    assert key_of("bp", part[0], replace(small.train, values=values), *part[2:]) != name
    assert not key_of(METHODS[0]) and not key_of(lambda: 1), "a function of the user's own has no lasting name"


def test_a_damaged_file_is_trained_again(tmp_path):
    (tmp_path / "abc.npz").write_bytes(b"PK\x03\x04 nonsense")
    assert Finished(tmp_path).load("abc") is None and Finished(tmp_path).load("none") is None


def test_backends_are_checked_before_the_work():
    pytest.importorskip("joblib", reason="no joblib: pip install 'tpsgd[dask]'")
    check_backend("loky")
    for on, text in (("nothing", "there is no backend"), ("dask:/x", "no address"), ("dask://x", "no address")):
        with pytest.raises(ConfigError, match=text):
            check_backend(on)
    assert "loky" in fails(3, "compare", "--task", "gesture", "--on", "nothing")

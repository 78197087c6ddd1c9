"""Flower's simulation runtime: its nodes, its grid and its message queues, with threads as workers.

The trainer in C runs without Python's lock, so threads use all cores; Flower's usual workers, Ray's processes, would
copy the samples to each. Flower has no public name for this, so one minor version is required in ``pyproject.toml``.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # before Flower is imported: nobody is told of a run

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import RUN_ID_NUM_BYTES, SUPERLINK_NODE_ID, TASK_ID_NUM_BYTES
from flwr.proto.task_pb2 import Task
from flwr.server.superlink.fleet.vce import vce_api
from flwr.server.superlink.fleet.vce.backend import Backend
from flwr.server.superlink.fleet.vce.metrics import VceMetrics
from flwr.server.superlink.linkstate import LinkStateFactory
from flwr.server.superlink.linkstate.in_memory_linkstate import RunRecord
from flwr.server.superlink.linkstate.utils import generate_rand_int_from_bytes
from flwr.serverapp import ServerApp
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME, NOOP_FEDERATION_ID
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.grid import InMemoryGrid

#: The key of a node's number in its context.
NUMBER = "partition-id"


class _Threads(Backend):
    """Runs the boards' app in the threads that Flower makes, one for each worker."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._app: ClientApp | None = None

    def build(self, app_fn: Callable[[], ClientApp]) -> None:
        """Take the app to run."""
        self._app = app_fn()

    @property
    def num_workers(self) -> int:
        """Messages that are worked on at a time."""
        return self._workers

    def is_worker_idle(self) -> bool:
        """Whether a worker is free: Flower asks for none that is not."""
        return True

    def terminate(self) -> None:
        """End: the threads are Flower's."""

    def process_message(self, message: Message, context: Context) -> tuple[Message, Context]:
        """Return a board's answer."""
        assert self._app is not None
        return self._app(message, context), context


def simulate(server: ServerApp, client: ClientApp, nodes: int, workers: int) -> None:
    """Run both apps with ``nodes`` nodes, numbered in their contexts, and wait for the end.

    Raises
    ------
    Exception
        What the server's app raises.
    """
    silence()
    factory = LinkStateFactory(FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory())
    run = begun(factory)
    grid = InMemoryGrid(state_factory=factory, pull_interval=0.02)
    grid.set_run(run)
    mapping = vce_api._register_nodes(nodes, factory)
    infos = vce_api._register_node_info_stores(mapping, run)
    over, failures = threading.Event(), []

    def lead() -> None:
        empty: dict[str, Any] = {}
        try:
            server(grid, Context(run.run_id, 0, empty, RecordDict(), empty))
        except BaseException as error:  # it is raised again below
            failures.append(error)
        finally:
            over.set()

    leader = threading.Thread(target=lead)
    leader.start()
    try:
        vce_api.run_api(
            lambda: client, lambda: _Threads(workers), mapping, factory, infos, over, VceMetrics()
        )  # fmt: skip
    finally:
        over.set()
        leader.join()
    if failures:
        raise failures[0]


def silence() -> None:
    """Have Flower print nothing: every fault is in the report."""
    logging.getLogger("flwr").setLevel(logging.CRITICAL + 1)


def begun(factory: LinkStateFactory) -> Run:
    """Return a run that a state knows, as Flower's own entry point makes it."""
    run = Run.create_empty(run_id=generate_rand_int_from_bytes(RUN_ID_NUM_BYTES))
    run.primary_task_id = generate_rand_int_from_bytes(TASK_ID_NUM_BYTES)
    run.federation_id = NOOP_FEDERATION_ID
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, run.run_id, SUPERLINK_NODE_ID
    state = factory.state()
    state.run_ids[run.run_id] = RunRecord(run=run)
    state.task_store[run.primary_task_id] = Task(task_id=run.primary_task_id, run_id=run.run_id)
    return run

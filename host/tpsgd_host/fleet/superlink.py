"""The server of a fleet over a network: Flower's Fleet API over HTTPS, and the grid with which a run is led.

Of Flower's server only the part that boards speak to is served. Its part for apps, through which anyone who reaches the
port may start a program, is not. As in ``engine.py`` these are inner names of Flower's.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # before Flower is imported: nobody is told of a run

import uvicorn
from fastapi import FastAPI
from flwr.app import Context, Message, RecordDict
from flwr.server.superlink.linkstate import LinkStateFactory
from flwr.serverapp import ServerApp
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME
from flwr.supercore.error import http_error_translator
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.protobuf.translation import ProtobufTranslationMiddleware
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.grid import InMemoryGrid
from flwr.superlink.routers.fleet.node_auth import NodeAuthMiddleware
from flwr.superlink.routers.fleet.router import router
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tpsgd_host.errors import ConfigError
from tpsgd_host.fleet.engine import begun, silence

#: The largest request, in bytes: the weights of the largest network are far smaller.
LARGEST = 1 << 24

_START = 20.0  # seconds for the server to listen


class SuperLink:
    """A server that boards join; a context manager that serves.

    Parameters
    ----------
    host : str
        The address to listen on.
    port : int
        0 for a free one.
    certificate, key : Path
        PEM files of the server.

    Attributes
    ----------
    port : int
        The port in use.

    Raises
    ------
    ConfigError
        When it cannot listen there, or the certificate does not suit the key.
    """

    def __init__(self, host: str, port: int, certificate: Path, key: Path) -> None:
        silence()
        self._factory = LinkStateFactory(FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory())
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            _app(self._factory), log_config=None, access_log=False, ssl_certfile=certificate, ssl_keyfile=key,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        try:
            config.load()
        except OSError as error:  # of the ssl module
            self._socket.close()
            raise ConfigError(f"{certificate} and {key} are no certificate and its key: {error}") from None
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> SuperLink:
        self._thread.start()
        until = time.monotonic() + _START
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.05)
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(_START)
        self._socket.close()

    def lead(self, app: ServerApp) -> None:
        """Run an app that leads a run, until it ends."""
        run = begun(self._factory)
        grid = _Grid(self._factory)
        grid.set_run(run)
        empty: dict[str, Any] = {}
        app(grid, Context(run.run_id, 0, empty, RecordDict(), empty))


class _Grid(InMemoryGrid):
    """Sends and takes messages whose contents boards fetch and bring piece by piece."""

    def __init__(self, factory: LinkStateFactory) -> None:
        super().__init__(state_factory=factory)
        self._coming: list[Message] = []  # answers whose pieces are on the way

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Offer messages; return their names."""
        return [name for message in messages if (name := self._offer(message))]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the answers that have come as a whole."""
        asked = set(message_ids)
        self._coming = [message for message in self._coming if message.metadata.reply_to_message_id in asked]
        asked -= {message.metadata.reply_to_message_id for message in self._coming}  # Flower forgets what it has given
        self._coming += super().pull_messages(asked) if asked else ()
        whole, coming = [], []
        for message in self._coming:
            found = message if message.has_error() else self._inflated(message)
            if found is None:
                coming.append(message)
            else:
                whole.append(found)
        self._coming = coming
        return whole

    def _offer(self, message: Message) -> str:
        with no_object_id_recompute():
            name: str = message.object_id
            message.metadata.__dict__["_message_id"] = name
            session = self.state.start_session(self.run.run_id)
            stored, wanted = self.state.store_message_and_object_tree(message, get_object_tree(message), session)
            pieces = get_all_nested_objects(message)
            for piece in wanted:
                self.state.store_object(self.run.run_id, session, piece, pieces[piece].deflate())
        return name if stored else ""

    def _inflated(self, message: Message) -> Message | None:
        """Return an answer with its content; None while pieces are missing, and for ever where they make no message."""
        name, store = message.metadata.message_id, self.state.object_store
        try:
            parts = iterate_object_tree(store.get_object_tree(name))
            pieces = {part.object_id: store.get(part.object_id) for part in parts}
            if not all(pieces.values()):
                return None
            found: Message = inflate_object_from_contents(name, pieces)
        except Exception:  # whatever a board may send
            return None
        found.metadata.__dict__["_message_id"] = name
        store.delete(name)
        return found


class _Bounded:
    """Refuses requests that do not say how long they are, or are longer than any that a board needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not length.isdigit() or int(length) > LARGEST:
                await send({"type": "http.response.start", "status": 413, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self._app(scope, receive, send)


def _app(factory: LinkStateFactory) -> FastAPI:
    """Return Flower's Fleet API, with the checks that Flower puts before it."""
    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None,
        middleware=[
            Middleware(_Bounded), Middleware(BaseHTTPMiddleware, dispatch=http_error_translator),
            Middleware(ProtobufTranslationMiddleware), Middleware(NodeAuthMiddleware),
        ],
    )  # fmt: skip
    app.state.linkstate_factory = factory
    app.state.enable_supernode_auth = False  # a board makes its key when it joins
    app.include_router(router)
    return app

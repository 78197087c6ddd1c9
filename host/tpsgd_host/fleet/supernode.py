"""A board's side of a fleet over a network: Flower's connection to the server, and the board's app in this process.

Flower's own program for it would run whatever app the server sends. Here the server sends messages only.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # before Flower is imported: nobody is told of a run

import httpx
from flwr.app import Context, Message, RecordDict
from flwr.app.error import Error
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents, pull_objects
from flwr.supernode.fleet_http_connection import http_request_response

from tpsgd_host.errors import BoardGoneError, ConfigError
from tpsgd_host.fleet.engine import silence

_LOOK = 0.5  # seconds between two questions for work


def serve(
    server: str, authority: Path, app: ClientApp, patience: float, on_answer: Callable[[Message, Message], bool]
) -> None:
    """Do what a server asks of a board.

    Parameters
    ----------
    server : str
        HOST:PORT.
    authority : Path
        PEM file of the authority that vouches for it.
    patience : float
        Seconds to try to reach a server that is not there.
    on_answer : callable
        Called with a message and the answer that was sent; returns whether that was all.

    Raises
    ------
    ConfigError
        When there is no such file, or the server is another than the authority vouches for.
    BoardGoneError
        When the server cannot be reached, or is gone.
    """
    silence()
    _check(server, authority)
    over = False
    try:
        with http_request_response(server, False, str(authority), max_wait_time=patience) as connection:
            node = _Node(app, connection)
            while not over:
                pair = node.work()
                if pair is None:
                    time.sleep(_LOOK)
                else:
                    over = on_answer(*pair)
    except SystemExit:  # Flower's end when it cannot connect
        raise BoardGoneError(
            f"the server at {server} does not answer", "is tpsgd-host fleet serve running there?"
        ) from None
    if not over:  # the connection ends the block without an error when it gives up
        raise BoardGoneError(f"the server at {server} is gone", "if it did not end, start fleet join again")


class _Node:
    """Takes messages from a connection of Flower's, and sends what the app answers."""

    def __init__(self, app: ClientApp, connection: Any) -> None:
        self._app = app
        (
            self._number, self._receive, self._send, _, _, self._pull, self._push, self._confirm,
        ) = connection  # fmt: skip

    def work(self) -> tuple[Message, Message] | None:
        """Answer the next message; None where there is none."""
        received = self._receive()
        if received is None:
            return None
        envelope, tree = received
        run, name = envelope.metadata.run_id, envelope.metadata.message_id
        pieces = pull_objects(
            [part.object_id for part in iterate_object_tree(tree)], lambda piece: self._pull(run, piece)
        )
        message: Message = inflate_object_from_contents(name, pieces)
        message.metadata.__dict__["_message_id"] = name
        self._confirm(run, name)
        begun = time.monotonic()
        answer = self._answer(message, run)
        with no_object_id_recompute():
            answer.metadata.__dict__["_message_id"] = answer.object_id
            wanted, session = self._send(answer, get_object_tree(answer), time.monotonic() - begun)
            parts = get_all_nested_objects(answer)
            for piece in wanted:
                self._push(run, session, piece, parts[piece].deflate())
        return message, answer

    def _answer(self, message: Message, run: int) -> Message:
        empty: dict[str, Any] = {}
        try:
            return self._app(message, Context(run, self._number, empty, RecordDict(), empty))
        except Exception as error:  # the server is told, and the board goes on
            return Message(
                Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, f"{type(error).__name__}: {error}"), reply_to=message
            )


def _check(server: str, authority: Path) -> None:
    """Raise if the server's certificate is not one that the authority vouches for; a silent server may yet come."""
    try:
        with httpx.Client(verify=ssl.create_default_context(cafile=authority), timeout=5.0) as client:
            client.get(f"https://{server}/")
    except httpx.ConnectError as error:
        if "CERTIFICATE" in str(error).upper():
            raise ConfigError(
                f"{authority} does not vouch for the server at {server}: {error}",
                "Copy the server's ca.pem; its certificates must be made for HOST: fleet serve --name HOST.",
            ) from None
    except (OSError, httpx.InvalidURL) as error:
        raise ConfigError(f"{server} with {authority}: {error}", "Name HOST:PORT and the server's ca.pem.") from None
    except httpx.HTTPError:
        pass

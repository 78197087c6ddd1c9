"""Where the events of a run go."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Protocol

from tpsgd_host.runs.events import Event


class Sink(Protocol):
    """Takes the events of one run, in order."""

    def handle(self, event: Event) -> None:
        """Take the next event."""


class Fanout:
    """Hands each event to several sinks, in their order.

    As a context manager it enters those sinks that are context managers, and leaves them in the opposite order whatever
    happens: put the terminal's view last, so that the terminal is whole before files are finished.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._stack = ExitStack()

    def handle(self, event: Event) -> None:
        """Hand the event on."""
        for sink in self._sinks:
            sink.handle(event)

    def __enter__(self) -> Fanout:
        with ExitStack() as stack:
            for sink in self._sinks:
                if isinstance(sink, AbstractContextManager):
                    stack.enter_context(sink)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


class Only:
    """Hands on the events of some kinds, and keeps the others to itself."""

    def __init__(self, sink: Sink, *kinds: type[Event]) -> None:
        self._sink = sink
        self._kinds = kinds

    def handle(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, self._kinds):
            self._sink.handle(event)

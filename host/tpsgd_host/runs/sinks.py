"""Receivers of a run's events."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Protocol

from tpsgd_host.runs.events import Event


class Sink(Protocol):
    """Receives the events of one run, in order."""

    def handle(self, event: Event) -> None:
        """Take the next event."""


class Fanout:
    """Passes each event to several sinks, in order.

    As a context manager it enters those sinks that are context managers, and always leaves them in reverse order. Put
    the terminal's view last, so that the terminal is restored before files are finished.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._stack = ExitStack()

    def handle(self, event: Event) -> None:
        """Pass on the event."""
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
    """Passes on the events of some kinds, and drops the others."""

    def __init__(self, sink: Sink, *kinds: type[Event]) -> None:
        self._sink = sink
        self._kinds = kinds

    def handle(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, self._kinds):
            self._sink.handle(event)


class Kinds:
    """Notes which kinds of events there are."""

    def __init__(self) -> None:
        self.kinds: set[type[Event]] = set()

    def handle(self, event: Event) -> None:
        """Take the next event."""
        self.kinds.add(type(event))

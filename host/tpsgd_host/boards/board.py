"""A board as an executor, which a run's driver can drive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zlib import crc32

from tpsgd import runtime
from tpsgd_host.errors import BoardError, MismatchError
from tpsgd_host.link.lesson import LessonLink
from tpsgd_host.link.messages import Info
from tpsgd_host.link.placing import Counts, put
from tpsgd_host.link.session import Session
from tpsgd_host.link.tape import TapeLink
from tpsgd_host.model.checkpoint import Checkpoint
from tpsgd_host.model.modelfile import Model, parse_model
from tpsgd_host.model.same import learning_weights, require_same
from tpsgd_host.training.executor import Bytes, Outcome, RecordExecutor, Records

#: Engines: their names in options, and their numbers on the link.
ENGINES = {"auto": 0, **{name: number for number, name in runtime.ENGINES.items()}}


class Board(RecordExecutor):
    """A board with an open session; an :class:`~tpsgd_host.training.executor.Executor`.

    Parameters
    ----------
    session : Session
    engine : str
        The wanted engine; ``auto`` for the board's best.
    every : int
        Training samples between two checkpoints; 0 for a checkpoint only at the end.
    receive_buffer : int, optional
        Maximum bytes under way, where the board would take more.

    Attributes
    ----------
    info : Info
        The board's description of itself when the session was opened.
    """

    def __init__(
        self, session: Session, engine: str = "auto", every: int = 0, receive_buffer: int | None = None
    ) -> None:
        self._session = session
        self._every = every
        self._classes = 255  # until the model is known
        self._prototypes = 0  # bytes, as above
        self._model: Model | None = None  # the board's, once it is known
        self.info: Info = session.hello(ENGINES[engine], receive_buffer)

    def start(self, run_id: int, total: int, fresh: bool) -> None:
        """Begin a run of ``total`` training samples; ``fresh``: with its model file's weights, else the present."""
        self._session.start(run_id, total, fresh, self._every)

    def go_on(self, run_id: int, have: int) -> Info:
        """Continue a run of which the host has ``have`` results; see :meth:`Session.go_on`."""
        return self._session.go_on(run_id, have, self._every)

    def save(self) -> None:
        """Have the board write a checkpoint."""
        self._session.sync(save=True)

    def stream(self, records: Records) -> Iterator[Bytes]:
        """Send records; yield results as they arrive, arrays (r, 2)."""
        for results in self._session.stream(records):
            if len(results) and results[:, 0].max() >= self._classes:
                raise MismatchError(
                    f"the board says class {results[:, 0].max()}, but its model has {self._classes}",
                    "put the model on it again with: tpsgd-host flash MODEL",
                )
            yield results

    def lesson(self, model: Model) -> LessonLink:
        """Return the link for a lesson; ``model`` is the board's.

        Raises
        ------
        BoardError
            When its program is too old for lessons.
        """
        self._can_listen()
        layout = model.layout
        return LessonLink(self._session, len(model.classes), layout.channels, layout.steps * layout.channels)

    def _can_listen(self) -> None:
        if not self.info.lessons:
            raise BoardError(
                f"the board's program, version {self.info.version}, cannot listen to its sensor for the host",
                "flash it again: tpsgd-host flash MODEL",
            )

    def tape(self) -> TapeLink:
        """Return the link for a tape of the board's sensor.

        Raises
        ------
        BoardError
            When its program is too old for lessons and tapes.
        """
        self._can_listen()
        return TapeLink(self._session)

    def finish(self, save: bool = True) -> Outcome:
        """End the run and have the board write a checkpoint."""
        done = self._session.sync(save)
        details: dict[str, object] = {
            "engine": self.info.engine, "machine": self.info.machine, "state_bytes": done.measured,
            "planned_bytes": self.info.planned, "heap_used": done.heap_used, "heap_free": done.heap_free,
            "checkpoint": done.generation, "checkpoint_failed": done.failed, "frames_resent": self._session.resent,
        }  # fmt: skip
        return Outcome(done.applied, done.seen, done.weights_crc, details)

    def weights(self, progress: Callable[[int], None] = lambda n: None) -> bytes:
        """Return the live weights of all layers.

        Raises
        ------
        MismatchError
            When the CRC of the received weights is not the one that the board reports.
        """
        data = self._session.read(1, progress, self._prototypes)
        arrived, said = crc32(data), self._session.sync(save=False).weights_crc
        if arrived != said:
            raise MismatchError(
                f"the received weights have CRC {arrived:08x}, but the board has {said:08x}",
                "is another program talking to the board? Close it and try again",
            )
        return data

    def model(self, progress: Callable[[int], None] = lambda n: None) -> Model:
        """Return the model on the board as in its file, with the weights that were flashed."""
        model = parse_model(self._session.read(0, progress), "the board's model")
        self.require(model)
        return model

    def pull(self, progress: Callable[[int], None] = lambda n: None) -> Model:
        """Return the model on the board with its present weights."""
        return self.model(progress).with_weights(self.weights(progress))

    def put_weights(
        self,
        model: Model,
        checkpoint: Checkpoint | None = None,
        progress: Callable[[int], None] = lambda n: None,
        source: str = "",
    ) -> int:
        """Put the weights of ``model`` on the board as a checkpoint; return its generation.

        The present run or lesson ends. What the board needs to go on is that of the checkpoint whose weights these are;
        without one, that of the model file, as if the board had been flashed with it.

        Parameters
        ----------
        model : Model
            The same network as the board's; only the weights of layers that learn are sent.
        progress : callable
            Called with the number of bytes that the board has.
        source : str
            Names the model in messages; by default its name.

        Raises
        ------
        MismatchError
            When the board has another network, or other weights afterwards.
        BoardError
            When its program is too old, or it cannot write them. Then it has its old weights.
        """
        if not self.info.takes_weights:
            raise BoardError(
                f"the board's program, version {self.info.version}, takes no weights",
                "flash it again: tpsgd-host flash MODEL",
            )
        require_same(self._model or self.model(), model, source or model.name)
        counts = Counts(0, model.total)
        if checkpoint is not None:
            counts = Counts(checkpoint.seen, checkpoint.total, checkpoint.generator)
        return put(self._session, learning_weights(model), model.weights_crc, counts, progress).generation

    def require(self, model: Model) -> None:
        """Raise if the board reports another model than ``model``."""
        if self.info.model_crc != model.crc:
            raise MismatchError(
                f"the board reports model {self.info.model_crc:08x}, but the file is {model.crc:08x}",
                "put the file on the board with: tpsgd-host flash MODEL, or leave out --model",
            )
        self._model = model
        self._classes = len(model.classes)
        self._prototypes = 0 if model.prototypes is None else model.prototypes.vectors.nbytes

    def close(self) -> None:
        """End the session."""
        self._session.bye()

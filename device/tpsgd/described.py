"""A network that the trainer in C runs: a training step is one call."""

from tpsgd.network import Network
from tpsgd.parameters import SHIFT
from tpsgd.runtime import HOST

#: What a step does: learn; begin with the output layer, whose inputs are there.
_TRAIN, _OUTPUT = 1, 2


class Described(Network):
    """A network whose training step is one call of its engine (``run``), which has ``address``, too.

    Attributes
    ----------
    described : bytearray
        What trainer.c knows of the network. The update shifts of the present phase are its first bytes.
    """

    def __init__(self, model, k):
        self.described = None
        self.run = getattr(k, "run", None)  # the host calls it in a library of its own
        super().__init__(model, k)
        from tpsgd.describe import describe  # a board drops it afterwards

        self.described = describe(self, model, k.address)
        if not HOST:  # whose collector does not follow pointers
            self.dense = self.first = self.kernels = None
            self.output = self.output[:5] + (None,)  # noqa: RUF005 - old interpreters
            self.front = self.front and (None, None, 0, self.front[3])
        self._set_phase()

    def _set_phase(self):
        super()._set_phase()
        if self.described:
            for i in range(len(self.rates)):
                self.described[i] = self.rates[i] & SHIFT

    def train(self, y):  # noqa: D102 - as that of a network
        seen = self.seen  # each attribute costs as much as a hundred multiplications
        if seen == self.phase_end:
            self._set_phase()
        self.seen = seen + 1
        return self.run(self.described, y, 1)  # _TRAIN, whose name would be looked up

    def _run(self, y, rates):
        return self.run(self.described, y, _TRAIN if rates else 0)

    def train_output(self, y):  # noqa: D102 - as that of a network
        if self.seen == self.phase_end:
            self._set_phase()
        self.seen += 1
        return self.run(self.described, y, _TRAIN | _OUTPUT)

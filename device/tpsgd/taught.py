"""Taught samples of a model with prototypes: each is a prototype, and practice varies it (SPEC 1.12).

Legend: n inputs of the output layer, P prototypes of the file, T*C values of a sample.
"""

from tpsgd import variation
from tpsgd.parameters import N
from tpsgd.protospec import ANY_SCORE, NETWORK, PROTOTYPES, STILL
from tpsgd.replay import EACH, MAX_SLOTS, Replay

#: A new class has at least this many places in a pass.
VIEWS = 12


def kept_bytes(inputs, sample, varied, near):
    """Return the bytes that each kept sample takes, and those that are taken once.

    ``inputs`` and ``sample`` are n and T*C. ``varied``: practice varies samples; ``near``: distances are measured.
    """
    if not varied:
        return inputs + EACH, 0
    if not near:
        return sample + EACH, sample
    return inputs + EACH + sample + EACH // 2, sample


class Taught(Replay):
    """Keeps the output's inputs of each sample, and with a variation the sample. Nothing else is allocated.

    Where practice varies samples and no distance is measured, the samples are all that is kept.

    Parameters
    ----------
    network : network.Network
    answer : answer.Answer
        The one that reads the prototypes of the file.
    budget : int
        Most bytes to take.

    Attributes
    ----------
    samples : list of bytearray
        With a variation: the samples, slot by slot; the last one is for the present sample.
    compact : bool
        Whether they are all that is kept: ``data`` are the same.

    Raises
    ------
    ValueError
        When not even one sample fits.
    """

    def __init__(self, network, answer, budget):
        self.answer = answer
        spec = answer.spec
        self.frozen = True
        self.size = network.layers[-1].p[N] - 1
        self.trains = spec.way != PROTOTYPES
        self.varied = self.trains and spec.variation != STILL
        near = spec.way != NETWORK or spec.score < ANY_SCORE
        self.compact = self.varied and not near
        sample = network.size if self.varied else 0
        more = self._more(spec, network.classes) if self.trains else 0
        each, spare = kept_bytes(self.size, sample, self.varied, near)
        spare += 2 * more
        #: Places of a pass have 16 bits: one for each slot, and one for each prototype of the file.
        self.slots = min(MAX_SLOTS - spec.count, (budget - spare) // each)
        if self.slots < 1:
            raise ValueError("replay=%d: one sample takes %d bytes" % (budget, spare + each))
        self.samples = [bytearray(sample) for _ in range(self.slots + 1)] if self.varied else None
        self.data = self.samples if self.compact else [bytearray(self.size) for _ in range(self.slots)]
        self.vary = variation.kernel(spec.variation, network.k.NAME) if self.varied else None
        shape = (network.steps, network.size // network.steps)
        self.p = variation.parameters(*shape) if self.varied else None
        self._make(network, more)

    def _more(self, spec, classes):
        """Return the most places of a pass besides one for each slot."""
        new = classes - len(set(spec.classes))
        return spec.count + (VIEWS - 1) * new

    def attach(self, network):
        """Go on with another network that takes the same samples: one with a class more."""
        Replay.attach(self, network)
        spec = self.answer.spec
        self.known = bytearray(network.classes)
        for c in spec.classes:
            self.known[c] = 1
        if self.trains and len(self.order) < self.slots + self._more(spec, network.classes):
            self.order = variation.places(self.slots + self._more(spec, network.classes))

    def teach(self, y):
        """Learn the network's sample as one of class ``y`` and keep it; return what was answered before.

        Where the model answers by prototypes alone, the network does not learn.
        """
        result = self.answer.test(y, self)
        if self.trains:
            self.network.train(y)
        self.keep(y)
        return result

    def pass_size(self):
        """Return the places of a pass."""
        if not self.trains:
            return 0
        size = self.answer.spec.count
        for c in range(len(self.counts)):
            k = self.counts[c]
            if k:
                size += k if self.known[c] else (VIEWS - 1 + k) // k * k
        return size

    def keep(self, y):
        """Keep the network's sample, which it has just run, as one of class ``y``; return its slot."""
        i = self.enter(y)
        if not self.compact:
            self.inputs_to(self.data[i])
        if self.varied:
            self._copy_sample(self.network.sample, self.samples[i])
        return i

    def inputs_of(self, i):
        """Return the output's inputs of the sample in slot ``i``; where they are not kept, the network runs it again.

        The network's own sample is the last of ``samples`` then: see :meth:`set_aside`.
        """
        if not self.compact:
            return self.data[i]
        self._copy_sample(self.samples[i], self.network.sample)
        self.network.test()
        self.inputs_to(self.answer.inputs)
        return self.answer.inputs

    def set_aside(self):
        """Keep the network's sample while it runs others."""
        if self.varied:
            self._copy_sample(self.network.sample, self.samples[self.slots])

    def put_back(self):
        """Give the network its sample back."""
        if self.varied:
            self._copy_sample(self.samples[self.slots], self.network.sample)

    def put(self, i, y):
        """Count what was read into slot ``i``, the first free one, as a sample of class ``y``."""
        self.kept = i + 1
        self.taught += 1
        self.labels[i] = y
        self.numbers[i] = self.taught
        self.counts[y] += 1
        self.at = 0

    def after(self, number):
        """Return the slot of the oldest sample that was taught after the one of this number."""
        found = -1
        for i in range(self.kept):
            if self.numbers[i] > number and (found < 0 or self.numbers[i] < self.numbers[found]):
                found = i
        return found

    def practise(self, n):
        """Learn ``n`` places of a pass; return how many were learned: none in the way of prototypes."""
        if not self.kept or not self.trains:
            return 0
        network = self.network
        if not self.varied:
            for _ in range(n):
                self._learn(self._next())
            return n
        self.set_aside()
        try:
            for _ in range(n):
                i = self._next()
                if i < self.slots:
                    self.vary(self.samples[i], network.sample, self.p, network.state)
                    network.train(self.labels[i])
                else:
                    self._learn(i)
        finally:
            self.put_back()
        return n

    def _learn(self, i):
        """Train the output on the inputs kept in slot ``i``, or beyond the slots on a prototype of the file."""
        network = self.network
        answer = self.answer
        if i < self.slots:
            source = self.data[i]
            y = self.labels[i]
        else:
            answer.read(i - self.slots)
            source = answer.vector
            y = answer.spec.classes[i - self.slots]
        network.k.load(source, 0, network.output[1], self.size)
        network.train_output(y)

    def _fill(self, order):
        """Write the places of a pass, before they are shuffled; return their number."""
        at = 0
        for i in range(self.kept):
            y = self.labels[i]
            views = 1
            if not self.known[y]:
                views = (VIEWS - 1 + self.counts[y]) // self.counts[y]
            while views:
                order[at] = i
                at += 1
                views -= 1
        for j in range(self.answer.spec.count):
            order[at] = self.slots + j
            at += 1
        return at

    def _swap(self, data, i, j):
        """Swap two slots."""
        Replay._swap(self, data, i, j)
        if self.varied and not self.compact:
            Replay._swap(self, self.samples, i, j)

    def _copy_sample(self, source, target):
        """Copy one sample. A slice would allocate."""
        for i in range(len(self.samples[0])):
            target[i] = source[i]

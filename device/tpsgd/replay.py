"""Taught samples, kept within a RAM budget and learned again and again (SPEC 1.10).

One look at a few samples teaches little: a network needs them many times, and mixed.
"""

from array import array

from tpsgd.parameters import N

#: Bytes that a kept sample takes besides its own: class, number and place in the order, and its object on 64 bits.
EACH = 48
MAX_SLOTS = 65535
_ALL = 1 << 16  # max_pool: store, whatever is there


class Replay:
    """Keeps samples, or where only the output learns the output's inputs, which are fewer. Nothing else is allocated.

    Parameters
    ----------
    network : network.Network
    budget : int
        Most bytes to take.

    Attributes
    ----------
    slots : int
        Samples that fit.
    kept : int
        Samples that are kept now.

    Raises
    ------
    ValueError
        When not even one sample fits.
    """

    def __init__(self, network, budget):
        layers = network.layers
        #: Whether all layers but the output are frozen.
        self.frozen = len(layers) > 1 and not any(any(layer.shifts) for layer in layers[:-1])
        self.size = layers[-1].p[N] - 1 if self.frozen else network.size
        spare = 0 if self.frozen else self.size  # for the present sample while others are learned
        self.slots = min(MAX_SLOTS, (budget - spare) // (self.size + EACH))
        if self.slots < 1:
            raise ValueError("replay=%d: one sample takes %d bytes" % (budget, spare + self.size + EACH))
        #: A buffer for each sample: a small heap has no room for a large one. The last one is the spare.
        self.data = [bytearray(self.size) for _ in range(self.slots + (spare > 0))]
        self._make(network, 0)

    def _make(self, network, more):
        """Make what a slot has besides its data; the order of a pass has ``more`` places than slots."""
        self.labels = bytearray(self.slots)
        self.numbers = array("I", bytes(4 * self.slots))
        self.order = array("H", bytes(2 * (self.slots + more)))
        self.network = network
        self.clear()

    def attach(self, network):
        """Go on with another network that takes the same samples: one with a class more."""
        self.network = network
        self.counts = array("H", bytes(2 * network.classes))
        for i in range(self.kept):
            self.counts[self.labels[i]] += 1

    def clear(self):
        """Drop all samples."""
        self.kept = self.taught = self.at = self.places = 0
        self.attach(self.network)

    def teach(self, y):
        """Learn the network's sample as one of class ``y`` and keep it; return as ``Network.train`` does."""
        result = self.network.train(y)
        self.keep(y)
        return result

    def pass_size(self):
        """Return the places of a pass."""
        return self.kept

    def keep(self, y):
        """Keep the network's sample, which it has just run, as one of class ``y``; return its slot."""
        i = self.enter(y)
        if self.frozen:
            self.inputs_to(self.data[i])
        else:
            self._copy(self.network.sample, self.data[i])
        return i

    def enter(self, y):
        """Return the slot for one more sample of class ``y``, which counts from now on."""
        i = self._slot(y)
        self.labels[i] = y
        self.counts[y] += 1
        self.taught += 1
        self.numbers[i] = self.taught
        self.at = 0
        return i

    def inputs_to(self, target):
        """Store the output's inputs."""
        network = self.network
        network.k.max_pool(network.output[1], target, 0, _ALL | self.size)

    def drop(self):
        """Drop the sample that was kept last; return its class, or -1 where there is none."""
        if not self.kept:
            return -1
        i = 0
        for j in range(self.kept):
            if self.numbers[j] > self.numbers[i]:
                i = j
        y = self.labels[i]
        self.counts[y] -= 1
        self.kept -= 1
        last = self.kept
        self.labels[i] = self.labels[last]
        self.numbers[i] = self.numbers[last]
        self._swap(self.data, i, last)
        self.at = 0
        return y

    def _swap(self, data, i, j):
        """Swap two slots. Taught samples with prototypes have more than ``data`` to swap."""
        swap = data[i]
        data[i] = data[j]
        data[j] = swap

    def practise(self, n):
        """Learn ``n`` of the kept samples again, each pass over them in a new order. Return how many were learned."""
        if not self.kept:
            return 0
        network = self.network
        if not self.frozen:
            self._copy(network.sample, self.data[self.slots])
        try:
            for _ in range(n):
                i = self._next()
                if self.frozen:
                    network.k.load(self.data[i], 0, network.output[1], self.size)
                    network.train_output(self.labels[i])
                else:
                    self._copy(self.data[i], network.sample)
                    network.train(self.labels[i])
        finally:
            if not self.frozen:
                self._copy(self.data[self.slots], network.sample)
        return n

    def _slot(self, y):
        """Return where to keep a sample of class ``y``: a free slot, else the oldest of the class that has the most."""
        if self.kept < self.slots:
            self.kept += 1
            return self.kept - 1
        chosen = most = 0
        for i in range(self.kept):
            label = self.labels[i]
            n = self.counts[label] + (label == y)
            if n > most or (n == most and self.numbers[i] < self.numbers[chosen]):
                most = n
                chosen = i
        self.counts[self.labels[chosen]] -= 1
        return chosen

    def _next(self):
        """Return the slot to learn next. A pass begins by shuffling the order."""
        order = self.order
        if self.at == 0:
            network = self.network
            i = self.places = self._fill(order)
            while i > 1:
                j = network.k.draw(network.state, i)
                i -= 1
                swap = order[i]
                order[i] = order[j]
                order[j] = swap
        i = order[self.at]
        self.at = (self.at + 1) % self.places
        return i

    def _fill(self, order):
        """Write the places of a pass, before they are shuffled; return their number."""
        for i in range(self.kept):
            order[i] = i
        return self.kept

    def _copy(self, source, target):
        """Copy one sample. A slice would allocate."""
        for i in range(self.size):
            target[i] = source[i]

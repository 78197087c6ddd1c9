"""The answer of a model with prototypes: network, distances, or both, and "not sure" (SPEC 1.11).

Legend: N classes, P prototypes of the file; n inputs of the output layer without the bias.
"""

from array import array

from tpsgd.distance import fastest
from tpsgd.network import UNKNOWN
from tpsgd.parameters import N
from tpsgd.protospec import ANY_SCORE, NETWORK, PROTOTYPES
from tpsgd.softmax import TABLE

FAR = 0x3FFFFFFF  # the distance of a class without a prototype
MAX_SCORE = 65535
_ALL = 1 << 16  # max_pool: store, whatever is there


def buffers(model):
    """Return [(purpose, bytes), ...] of what an :class:`Answer` takes, as ``plan.buffers`` does."""
    n = model.layers[-1].inputs
    return [("prototype", n), ("readout", n), ("distances", 4 * model.classes), ("chances", 2 * model.classes)]


class Answer:
    """How a model with prototypes answers. It reads the prototypes from the file, and allocates nothing.

    Parameters
    ----------
    model : modelfile.Model
        One with prototypes.
    network : network.Network

    Attributes
    ----------
    file : binary file, seekable
        The model file, see :meth:`open`.
    distances : array of uint32, shape (N,)
        After :meth:`measure`: the distance of each class.
    chances : bytearray, shape (N,)
        After :meth:`test`: the probabilities of the network, 0..127.
    nearness : bytearray, shape (N,)
        After :meth:`measure`: how near each class is, 0..127.
    """

    def __init__(self, model, network, file=None):
        self.file = file
        self.spec = model.prototypes
        self.at = model.vectors
        self.size = network.layers[-1].p[N] - 1
        self.vector = bytearray(self.size)
        self.inputs = bytearray(self.size)
        self.distances = array("I", bytes(4 * model.classes))
        self.chances = bytearray(model.classes)
        self.nearness = bytearray(model.classes)
        self.mean = self.spec.mean_scale()
        self.distance = fastest(network.k)
        self.network = network

    def open(self, path):
        """Open the model file, which stays open until :meth:`close`."""
        self.file = open(path, "rb")  # noqa: SIM115 - it stays open

    def close(self):
        """Close the model file."""
        self.file.close()

    def test(self, y=UNKNOWN, taught=None):
        """Classify the network's sample; return ``answer << 8 | p_y`` as ``network.test`` does.

        ``taught``: a :class:`tpsgd.taught.Taught` whose samples are prototypes, too.
        """
        network = self.network
        result = network.test(y)
        w, x, packed, z, _, _ = network.output
        chances = self.chances
        told = result >> 8 if y == UNKNOWN else y
        for i in range(len(chances)):
            chances[i] = int(127 - z[i] if i == told else -z[i])
        network.k.forward(w, x, packed, z)
        spec = self.spec
        near = spec.way != NETWORK or spec.score < ANY_SCORE
        if near:
            self.measure(taught)
        c = self._choose(spec.way, z)
        none = spec.none
        if none < len(chances) and (
            int(z[c]) - int(z[none]) < spec.margin or (spec.score < ANY_SCORE and self.score(c) > spec.score)
        ):
            c = none
        return c << 8 | self.probability(c if y == UNKNOWN else y)

    def probability(self, c):
        """Return the probability of a class after a test, 0..127."""
        p = self.chances[c]
        if c != self.spec.none and self.spec.way != NETWORK:
            p = self.nearness[c] if self.spec.way == PROTOTYPES else (p + self.nearness[c]) >> 1
        return p

    def score(self, c):
        """Return the score of a class: its distance in 256ths of its scale."""
        if self.distances[c] == FAR:
            return MAX_SCORE
        return min(MAX_SCORE, 256 * self.distances[c] // self.spec.scales[c])

    def measure(self, taught=None):
        """Find the distance and the nearness of each class to the output's present inputs."""
        network = self.network
        network.k.max_pool(network.output[1], self.inputs, 0, _ALL | self.size)
        distances = self.distances
        for c in range(len(distances)):
            distances[c] = FAR
        file = self.file
        file.seek(self.at)
        for c in self.spec.classes:
            file.readinto(self.vector)
            self._closer(c, self.vector)
        if taught:
            for i in range(taught.kept):
                self._closer(taught.labels[i], taught.data[i])
        self._compare()

    def read(self, j):
        """Read prototype ``j`` of the file into ``vector``."""
        self.file.seek(self.at + j * self.size)
        self.file.readinto(self.vector)

    def _closer(self, c, vector):
        """Take a prototype of class ``c`` into account."""
        if c != self.spec.none:
            d = self.distance(self.inputs, vector, self.size)
            if d < self.distances[c]:
                self.distances[c] = d

    def _compare(self):
        """Make the nearness of all classes from their distances."""
        distances = self.distances
        nearness = self.nearness
        least = min(distances)
        total = 0
        for c in range(len(nearness)):
            q = 0
            if distances[c] != FAR:
                d = (256 * (distances[c] - least) // self.mean) >> 1
                q = TABLE[d] if d < 100 else 0
            nearness[c] = q
            total += q
        if total:
            for c in range(len(nearness)):
                nearness[c] = (127 * nearness[c] + (total >> 1)) // total

    def _choose(self, way, z):
        """Return the known class that the model answers."""
        best = -1
        top = 0
        for c in range(len(self.chances)):
            if c == self.spec.none:
                continue
            if way == NETWORK:
                value = int(z[c])
            elif way == PROTOTYPES:
                value = -self.distances[c]
            else:
                value = self.chances[c] + self.nearness[c]
            if best < 0 or value > top:
                best = c
                top = value
        return best

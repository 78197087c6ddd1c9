"""The network and its training step: forward, error and update layer by layer (SPEC 1.2, 1.3).

Conv and recurrent layers have modules of their own, loaded with a model that has some.

Legend: C channels, T steps of the model; n inputs (bias counted), m units of a layer.
"""

from array import array

from tpsgd.generator import mix
from tpsgd.runtime import crc32

UNKNOWN = 255


class Layer:
    """Weights and parameters of one layer.

    Attributes
    ----------
    w : bytearray
        Weights as stored.
    p : array of uint32
        Parameters, see ``kernels_plain``.
    how : int
        As in ``kernels_plain``, with the forward shift S.
    shifts : bytes
        The update shift s of each phase (0: leave alone).
    """

    def __init__(self, spec, index, seed):
        n = spec.inputs + 1
        self.w = bytearray(spec.nbytes())
        base = mix(seed ^ ((index + 1) << 24))
        self.p = array("I", (spec.units, n, spec.amplitude, spec.l1, spec.leak, base))
        self.how = spec.units << 16 | n << 5 | spec.frozen << 4 | spec.shift
        self.shifts = b"\0" * len(spec.shifts) if spec.frozen else spec.shifts


class Network:
    """A network, ready to train in place.

    Parameters
    ----------
    model : modelfile.Model
    k : module
        The engine, from :func:`tpsgd.runtime.engine`.

    Attributes
    ----------
    sample : bytearray, T*C stored activations and one byte more
        Write a sample here, then call :meth:`train` or :meth:`test`.
    seen, total : int
        Training samples applied in this run, and the number announced for it.
    """

    def __init__(self, model, k):
        self.k = k
        self.seed = model.seed
        self.classes = model.classes
        self.steps = model.steps
        self.layers = [Layer(spec, i, model.seed) for i, spec in enumerate(model.layers)]
        self.size = model.steps * model.channels
        self.sample = bytearray(self.size + 1)
        # What a step needs lies in tuples: an attribute costs a small chip as much as a hundred multiplications.
        self.kernels = (k.put, k.forward, k.clamp, k.error, k.softmax, k.update)
        self.state = array("I", (0,))
        z = k.sums(max([spec.units for spec in model.layers]))
        count = 0
        over = self.sample  # what the first dense layer may read where it lies
        stage = None
        if model.front:
            count, over, stage = model.front.stack(self, model, z)
        steps = []
        for layer in self.layers[count:]:
            m = layer.p[0]
            n = layer.p[1]
            x = k.activations(n, None if steps else over)
            steps.append((k.matrix(layer.w, m, n, layer.how & 16), x, layer.how, k.part(z, m), layer.p))
        x = steps[0][1]
        #: (run, what it takes, their number) of the conv or recurrent layers; where a dense first layer wants the
        #: sample, unless it reads it as it is.
        self.front = stage and (model.front.run, stage + (x,), count)  # noqa: RUF005 - old interpreters
        self.first = None if stage or x is over else x
        self.dense = tuple([steps[i] + (steps[i + 1][1],) for i in range(len(steps) - 1)])
        sweep = None
        if len(model.layers) > 1 and not model.layers[-2].amplitude:
            from tpsgd.feedback import sweep
        self.output = steps[-1] + (sweep,)
        #: ``how`` of each layer for update in the present phase (0: leave alone).
        self.rates = [0] * len(self.layers)
        self.begin(model.total)

    def begin(self, total):
        """Begin a run of ``total`` training samples (0: unknown, the schedule stays in its first phase)."""
        self.resume(0, total, mix(self.seed))

    def resume(self, seen, total, state):
        """Go on with a run after ``seen`` of its ``total`` training samples, the generator at ``state``."""
        self.seen = seen
        self.total = total
        self.state[0] = state
        self._set_phase()

    def _set_phase(self):
        """Set the update shifts for the present phase and find where it ends."""
        phases = len(self.layers[0].shifts)
        phase = min(phases - 1, self.seen * phases // self.total) if self.total else 0
        i = len(self.layers)
        behind = 0
        while i:
            i -= 1
            layer = self.layers[i]
            shift = layer.shifts[phase]
            rate = shift and layer.how & -16 | shift
            if behind and not layer.p[2]:  # feedback: the layer behind hands on what it asks for
                if rate and self.rates[i + 1]:
                    self.rates[i + 1] |= max(1, min(7, behind - 1)) << 27
                else:
                    rate = 0
            self.rates[i] = rate
            behind = layer.how & 15 or 1
        self.phase_end = -1  # never
        if self.total and phase < phases - 1:
            self.phase_end = (self.total * (phase + 1) + phases - 1) // phases

    def train(self, y):
        """Learn ``sample`` as one of class ``y``; return ``predicted << 8 | p_y``, as found before learning.

        Allocates nothing on an engine that allocates nothing (viper, thumb).
        """
        if self.seen == self.phase_end:
            self._set_phase()
        self.seen += 1
        return self._run(y, self.rates)

    def test(self, y=UNKNOWN):
        """Classify ``sample``; return ``predicted << 8 | p_y``, p_y for class ``y`` or, unknown, the predicted one."""
        return self._run(y, None)

    def _run(self, y, rates):
        """Run the sample through all layers; with ``rates`` each of them learns."""
        put, forward, clamp, error, softmax, update = self.kernels
        i = 0
        if self.front:
            run, stage, i = self.front
            run(stage, y, rates)
        elif self.first is not None:
            put(self.sample, 0, self.first, self.size)
        for w, x, how, z, p, a in self.dense:
            forward(w, x, how, z)
            clamp(z, a, p)
            if rates and rates[i] and p[2]:
                error(a, z, p, y)
                update(w, x, rates[i], z)
            i += 1
        w, x, how, z, p, sweep = self.output
        forward(w, x, how, z)
        result = softmax(z, p, y)
        if rates and rates[i]:
            if sweep is None:
                update(w, x, rates[i], z)
            elif result & 255 < 127:  # else there is no error
                sweep(self, rates, y)
        return result

    def weights(self):
        """Return the weight buffers, layer after layer."""
        return [layer.w for layer in self.layers]

    def crc(self):
        """Return the CRC-32 over all weight bytes as stored: two networks that learned alike have one."""
        crc = 0
        for layer in self.layers:
            crc = crc32(layer.w, crc)
        return crc & 0xFFFFFFFF


def build(file, model, k):
    """Return a :class:`Network` with the weights of ``model`` read from its ``file``."""
    network = Network(model, k)
    model.weights(file, network.weights())
    return network

"""The network and its training step: forward, error and update, layer by layer (SPEC 1.2, 1.3).

Conv layers, recurrent layers and feedback have modules of their own, imported for a model that needs them.

Legend: C channels, T steps of the model; n inputs (bias counted), m units of a layer.
"""

from array import array
from os import remove

from tpsgd.format import CONV, NEW, RECURRENT, TEMPORAL
from tpsgd.generator import mix
from tpsgd.parameters import AMPLITUDE, FROZEN, SHIFT, M, N, feedback, pack
from tpsgd.runtime import crc32

UNKNOWN = 255


class Layer:
    """Weights and parameters of one layer.

    Attributes
    ----------
    w : bytearray
        Weights as stored.
    p : array of uint32
        See ``parameters``.
    packed : int
        As ``parameters.pack`` makes it, with the forward shift S.
    shifts : bytes
        The update shift s of each phase (0: the layer does not learn).
    """

    def __init__(self, spec, index, seed):
        n = spec.inputs + 1
        self.w = bytearray(spec.nbytes())
        base = mix(seed ^ ((index + 1) << 24))
        self.p = array("I", (spec.units, n, spec.amplitude, spec.l1, spec.leak, base))
        self.packed = pack(spec.units, n, spec.frozen, spec.shift)
        self.shifts = b"\0" * len(spec.shifts) if spec.frozen else spec.shifts


class Network:
    """A network, ready to train in place.

    Parameters
    ----------
    model : modelfile.Model
    k : module
        The engine, from :func:`tpsgd.runtime.engine`: a module of kernels.

    Attributes
    ----------
    sample : bytearray, T*C stored activations and one byte more
        Write a sample here, then call :meth:`train` or :meth:`test`.
    seen, total : int
        Training samples of this run so far, and the number announced for it.
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
        self.kernels = (k.load, k.forward, k.clamp, k.error, k.softmax, k.update)
        self.state = array("I", (0,))
        z = k.accumulators(max([spec.units for spec in model.layers]))
        front, backward_pass = modules(model)
        count = conv = 0
        over = self.sample  # the first dense layer may read it where it lies
        stage = None
        if front:
            count, over, stage = front.stack(self, model, z)
            if model.layers[0].kind == CONV:
                conv = count
        steps = []
        for layer in self.layers[count:]:
            m, n = layer.p[M], layer.p[N]
            x = k.activations(n, None if steps else over)
            steps.append((k.matrix(layer.w, m, n, layer.packed & FROZEN), x, layer.packed, k.view(z, m), layer.p))
        x = steps[0][1]
        #: The conv or recurrent layers: (run, its first argument, number of layers, number of conv layers), or None.
        self.front = stage and (front.run, stage + (x,), count, conv)  # noqa: RUF005 - old interpreters
        #: Inputs of a dense first layer that does not read the sample where it lies, or None.
        self.first = None if stage or x is over else x
        self.dense = tuple([steps[i] + (steps[i + 1][1],) for i in range(len(steps) - 1)])
        self.output = steps[-1] + (backward_pass,)
        #: The packed integer of each layer for its update in the present phase (0: it does not learn).
        self.rates = [0] * len(self.layers)
        self.begin(model.total)

    def begin(self, total):
        """Begin a run of ``total`` training samples. With 0 (unknown) the schedule stays in its first phase."""
        self.resume(0, total, mix(self.seed))

    def resume(self, seen, total, state):
        """Continue a run after ``seen`` of its ``total`` training samples, with the generator at ``state``."""
        self.seen = seen
        self.total = total
        self.state[0] = state
        self._set_phase()

    def _set_phase(self):
        """Set the update shifts for the present phase and find where it ends."""
        phases = len(self.layers[0].shifts)
        phase = min(phases - 1, self.seen * phases // self.total) if self.total else 0
        i = len(self.layers)
        above = None
        conv = self.front[3] if self.front else 0
        while i:
            i -= 1
            layer = self.layers[i]
            p = layer.p
            shift = layer.shifts[phase]
            rate = shift and pack(p[M], p[N], 0, shift)
            if above and not p[AMPLITUDE]:  # the layer above sends feedback while it learns
                if rate and self.rates[i + 1]:
                    self.rates[i + 1] |= feedback(above.packed & SHIFT, i + 1 < conv, i < conv)
                else:
                    rate = 0
            self.rates[i] = rate
            above = layer
        self.phase_end = -1  # never
        if self.total and phase < phases - 1:
            self.phase_end = (self.total * (phase + 1) + phases - 1) // phases

    def train(self, y):
        """Learn ``sample`` as one of class ``y``; return ``predicted << 8 | p_y``, found before learning.

        On the engines viper and thumb this allocates nothing.
        """
        if self.seen == self.phase_end:
            self._set_phase()
        self.seen += 1
        return self._run(y, self.rates)

    def train_output(self, y):
        """Learn the output's present inputs as class ``y``, where no other layer learns. Returns as :meth:`train`."""
        if self.seen == self.phase_end:
            self._set_phase()
        self.seen += 1
        _, forward, _, _, softmax, update = self.kernels
        w, x, packed, z, p, _ = self.output
        forward(w, x, packed, z)
        result = softmax(z, p, y)
        rate = self.rates[len(self.rates) - 1]
        if rate:
            update(w, x, rate, z)
        return result

    def test(self, y=UNKNOWN):
        """Classify ``sample``; return ``predicted << 8 | p_y``. With ``y`` unknown, p_y is of the predicted class."""
        return self._run(y, None)

    def _run(self, y, rates):
        """Run the sample through all layers. With ``rates`` each of them learns."""
        load, forward, clamp, error, softmax, update = self.kernels
        i = 0
        if self.front:
            run, stage, i, _ = self.front
            run(stage, y, rates)
        elif self.first is not None:
            load(self.sample, 0, self.first, self.size)
        for w, x, packed, z, p, a in self.dense:
            forward(w, x, packed, z)
            clamp(z, a, p)
            if rates and rates[i] and p[AMPLITUDE]:
                error(a, z, p, y)
                update(w, x, rates[i], z)
            i += 1
        w, x, packed, z, p, backward_pass = self.output
        forward(w, x, packed, z)
        result = softmax(z, p, y)
        if rates and rates[i]:
            if backward_pass is None:
                update(w, x, rates[i], z)
            elif result & 255 < 127:  # else there is no error
                backward_pass(self, rates, y)
        return result

    def weights(self):
        """Return the weight buffers, layer after layer."""
        return [layer.w for layer in self.layers]

    def crc(self):
        """Return the CRC-32 over all weight bytes as stored. Networks that learned the same have the same one."""
        crc = 0
        for layer in self.layers:
            crc = crc32(layer.w, crc)
        return crc & 0xFFFFFFFF


def modules(model):
    """Import the code that the layers of ``model`` need besides this module.

    Call it before you count the memory of a network: then the code is not counted.

    Returns
    -------
    front : module or None
        ``recurrent``, ``convolution`` or ``temporal``, which runs the first layers.
    backward_pass : function or None
        Where the last hidden layer learns from feedback.
    """
    front = backward_pass = None
    kind = model.layers[0].kind
    if kind == RECURRENT:
        from tpsgd import recurrent as front
    elif kind == CONV:
        from tpsgd import convolution as front

        if not model.layers[0].amplitude:
            from tpsgd import convfeedback  # noqa: F401 - convolution takes it from there
    elif kind == TEMPORAL:
        from tpsgd import temporal as front
    if len(model.layers) > 1 and not model.layers[-2].amplitude:
        from tpsgd.feedback import backward_pass
    return front, backward_pass


def build(file, model, k):
    """Return a :class:`Network` with the weights of ``model``, read from its ``file``."""
    network = getattr(k, "network", Network)(model, k)
    model.weights(file, network.weights())
    return network


def load_or_recover(path, wrong, load, *args):
    """Call ``load`` with ``args``. Where it raises ``wrong``, recover the model file from a power cut and try again.

    What a power cut can leave is the file ``path + NEW`` (SPEC 1.8). It is removed once the model is loaded.
    """
    try:
        load(*args)
    except wrong:
        from tpsgd import newclass

        if not newclass.recover(path):
            raise
        load(*args)
    try:
        remove(path + NEW)
    except OSError:
        pass

"""Learning rules in floating point, in plain NumPy, to compare the integers of tpSGD with.

The network is that of SPEC 1 in real numbers: hard tanh, leaky recurrent units, readout steps side by side, softmax.
One rule is one module, its forward pass beside its update; many networks train in lockstep, one sample at a time.
"""

from tpsgd_host.rules.architecture import Architecture, LayerShape
from tpsgd_host.rules.course import Course, shuffled
from tpsgd_host.rules.draws import model_weights
from tpsgd_host.rules.losses import LAYER_LOSSES
from tpsgd_host.rules.memory import training_bytes
from tpsgd_host.rules.training import RULES, Result, train

__all__ = [
    "LAYER_LOSSES",
    "RULES",
    "Architecture",
    "Course",
    "LayerShape",
    "Result",
    "model_weights",
    "shuffled",
    "train",
    "training_bytes",
]

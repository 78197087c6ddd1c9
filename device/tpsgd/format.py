"""Numbers of the model file that several modules share (SPEC 2): kinds of layer, learning steps, limits.

It imports nothing, so that every module may import it.
"""

#: Kind of a layer.
DENSE, RECURRENT, OUTPUT, CONV, TEMPORAL = 0, 1, 2, 3, 4

#: ``update_at``: the steps of a sample at which recurrent layers with targets of their own learn.
LAST, READOUT, RANDOM, EVERY = 0, 1, 2, 3

MAX_LAYERS = 16
MAX_PHASES = 8
MAX_UNITS = 1024
MAX_INPUTS = 1039
MAX_STEPS = 4096
MAX_CLASSES = 255
MAX_READOUT_STEPS = 16
MAX_SEGMENTS = 16
MAX_SEGMENT_STEPS = 256

#: Positions that a conv layer learning from feedback may pool: a place takes one byte.
MAX_POOLED = 256

#: Flags of a layer.
FROZEN, PADDED = 1, 2

#: The model file that a board serves.
MODEL = "model.tpsgd"

#: Appended to the path of a model file: the file that is about to replace it (SPEC 1.8).
NEW = ".new"

"""From a trained network in floating point to integers."""

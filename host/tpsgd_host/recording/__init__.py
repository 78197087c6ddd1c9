"""Recording: cut words or gestures out of what a sensor gives, label them, and keep them as data."""

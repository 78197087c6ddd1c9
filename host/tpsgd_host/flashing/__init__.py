"""Putting firmware, the device package and a model on boards that are real."""

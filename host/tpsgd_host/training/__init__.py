"""Applies records to a network: the executor interface, and the simulator, which needs no board."""

"""Adapts trained networks to new speakers and wearers, and to new classes."""

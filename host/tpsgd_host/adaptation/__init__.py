"""A trained network meets somebody or something new: new speakers and wearers, new classes."""

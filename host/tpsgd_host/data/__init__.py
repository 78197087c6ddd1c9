"""From a file to samples: tables, recordings, windows, scaling, splits."""

"""The network before and after training: its TOML, its model file, its checkpoints, and surgery on trained models."""

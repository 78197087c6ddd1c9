"""The network before and after training: its TOML, its model file, its readout_steps, and surgery on them."""

"""Changes boards: firmware, device package, model, erasing, and the doctor."""

"""Measurements that anyone can repeat: accuracy, speed, memory. Ratios and counts, taken in one run."""

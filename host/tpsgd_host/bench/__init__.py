"""Measurements that anyone can repeat: accuracy, speed, memory; as counts, or as ratios within one run."""

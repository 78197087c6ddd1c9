"""What applies records to a network: the executor interface, and the simulator that needs no board."""

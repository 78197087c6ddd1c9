"""Records data: cuts words or gestures out of a sensor's stream, labels them, and saves them."""

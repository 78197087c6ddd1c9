"""Teach gestures to a board: hold the button and move. Runs on the board as it is; see README.md."""

from sensors import find

from tpsgd import Learner


def main():
    """Feed the sensor's readings to the network: learn while the button is held, predict while it is not."""
    learner = Learner("model.tpsgd", readings="h")
    sensor = find(learner.classes)
    if learner.seen:
        print("going on after", learner.seen, "samples learned before")
    current = taught = 0
    held = False
    print("teaching:", learner.classes[current])
    while True:
        reading = sensor.read()
        if reading is None:  # only the simulated sensor ends
            break
        pressed = sensor.pressed()
        if pressed and not held:
            learner.clear()  # a recording begins with the press
            taught = 0
        learner.feed(reading)
        if learner.ready and pressed:
            was = learner.learn(current)
            taught += 1
            print("learned {}, had looked like {}; {:.0%} right".format(
                learner.classes[current], was, learner.accuracy
            ))  # fmt: skip
        elif learner.ready:
            name = learner.predict()
            sensor.told(name)
            print("looks like {} ({:.0%})".format(name, learner.probability))
        if held and not pressed:
            if taught:
                learner.save()
            else:  # a short press
                current = (current + 1) % len(learner.classes)
                print("teaching:", learner.classes[current])
            learner.clear()
        held = pressed
    print(sensor.summary())


main()

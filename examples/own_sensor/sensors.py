"""Find out what is here: an MPU-6050 with a button, or nothing, and then the simulated sensor."""

import sys

#: Pins of data, clock and button, by platform. Edit them for your wiring.
PINS = {"esp32": (21, 22, 0), "rp2": (4, 5, 14)}

PERIOD = 40  # milliseconds: 25 readings a second, as model.toml says


def find(classes):
    """Return a sensor and say which."""
    data, clock, button = PINS.get(sys.platform, PINS["rp2"])
    try:
        from machine import I2C, Pin
        from mpu6050 import Accelerometer

        found = Accelerometer(
            I2C(0, sda=Pin(data), scl=Pin(clock)), Pin(button, Pin.IN, Pin.PULL_UP), PERIOD
        )  # fmt: skip
    except ImportError:
        why = "no I2C on " + sys.platform
    except (OSError, ValueError) as error:
        why = "no MPU-6050 at pins {} (data) and {} (clock): {!r}".format(data, clock, error)
    else:
        print("sensor: MPU-6050; button at pin", button)
        return found
    from simulated import Simulated

    print("sensor: SIMULATED movements and button,", why)
    return Simulated(classes)

# Freeze the trainer into firmware: no heap for its code, nothing to copy. Build a port of MicroPython with
#
#   make BOARD=... FROZEN_MANIFEST=/path/to/your/manifest.py
#
# where your manifest.py has
#
#   include("$(PORT_DIR)/boards/manifest.py")
#   include("/path/to/tpsgd/firmware/manifest.py", thumb=True)
#
# viper   the port has the native emitter (ESP32, RP2, STM32, nRF, SAMD)
# thumb   the port has the inline assembler for Cortex-M (RP2040, RP2350 on ARM, STM32, nRF, SAMD)
#
# An engine that the port cannot have does not compile, so it must be left out. Native modules cannot be frozen: a board
# checks a module's file before it loads it (docs/BOARDS.md).
options.defaults(viper=True, thumb=False)

metadata(description="Networks that train themselves, in integers", version="0.1.0", license="MIT")

MODULES = (
    "__init__.py",
    "adpcm.py",
    "analog.py",
    "answer.py",
    "buffers.py",
    "capture.py",
    "cdc.py",
    "checkpoint.py",
    "chunks.py",
    "convfeedback.py",
    "convolution.py",
    "describe.py",
    "described.py",
    "distance.py",
    "distance_np.py",
    "feedback.py",
    "format.py",
    "frames.py",
    "frontend.py",
    "frontspec.py",
    "generator.py",
    "header.py",
    "imu.py",
    "incoming.py",
    "kernels_native.py",
    "kernels_np.py",
    "kernels_plain.py",
    "learner.py",
    "lesson.py",
    "logmel.py",
    "logmel_native.py",
    "microphone.py",
    "modelfile.py",
    "motion.py",
    "narrow.py",
    "native.py",
    "network.py",
    "newclass.py",
    "parameters.py",
    "patches.py",
    "plan.py",
    "protospec.py",
    "raw.py",
    "recurrent.py",
    "replay.py",
    "ring.py",
    "runtime.py",
    "segmenter.py",
    "selftest.py",
    "serve.py",
    "softmax.py",
    "tape.py",
    "taught.py",
    "temporal.py",
    "variation.py",
)
VIPER = (
    "adpcm_viper.py", "distance_viper.py", "kernels_viper.py", "logmel_viper.py", "narrow_viper.py",
    "variation_viper.py",
)  # fmt: skip
THUMB = ("distance_thumb.py", "kernels_thumb.py")
package(
    "tpsgd",
    MODULES + (VIPER if options.viper else ()) + (THUMB if options.thumb else ()),
    base_path="../device",
)

"""The cost of the assembler engine on an emulated Cortex-M0, in instructions."""

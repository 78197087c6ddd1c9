"""An emulated Cortex-M0 that counts instructions, and the cost of the assembler engine there."""

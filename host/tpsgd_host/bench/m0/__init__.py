"""An emulated Cortex-M0 that counts its instructions, and what the assembler engine takes there."""

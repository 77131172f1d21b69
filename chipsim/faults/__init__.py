"""What goes wrong in hardware, at a rate: bits that flip, packets that get lost."""

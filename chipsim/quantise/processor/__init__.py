"""A network in a processor's fixed point: S16.15 states, 16-bit weights, delays in ticks."""

"""Compiled pieces of a core's program in ticks: neurons, synapses, e-prop, STDP, in S16.15."""

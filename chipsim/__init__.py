"""chipsim: trained spiking networks on cycle-level many-core neuromorphic chips."""

__version__ = "0.1.0"

"""Map: partition, place, route and schedule a network on a chip."""

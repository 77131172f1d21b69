"""What learning on chip costs: by local plasticity, by backpropagation through time, by both."""

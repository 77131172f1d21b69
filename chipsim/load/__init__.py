"""Load: checkpoints, descriptions, chip files and traces become networks, chips and traces."""

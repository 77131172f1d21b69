"""Price: counters times prices, with provenance and range."""

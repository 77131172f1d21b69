"""Report: the run folder, the terminal summary, the HTML page and its figures."""

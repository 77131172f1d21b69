"""Many runs as one study: points, executors, results that are kept, Pareto fronts, pictures."""

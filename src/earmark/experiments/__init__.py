"""Many trainings that belong together: sweeps over settings, cross-validation, and comparisons of runs."""

"""Training in parameter space, step by step, with a record of its course."""

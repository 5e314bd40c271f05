"""Training in function space: closed forms, iteration, ensembles."""

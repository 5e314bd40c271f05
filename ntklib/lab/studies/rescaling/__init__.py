"""One function written with other weights, and where optimisers take it."""

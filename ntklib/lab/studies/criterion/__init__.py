"""The criterion of lazy training against the width of a network."""

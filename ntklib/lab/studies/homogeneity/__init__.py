"""The criterion of lazy training at scaled weights."""

"""Networks by the scale of their outputs, against linear models."""

"""Networks against their linearisations, by the scale of the outputs."""

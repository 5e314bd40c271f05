"""Networks against their tangent models, by width and along training."""

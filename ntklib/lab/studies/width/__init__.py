"""The tangent kernel against its limit, by width."""

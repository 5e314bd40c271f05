"""The empirical tangent kernel: features of every layer, tiles, products with vectors."""

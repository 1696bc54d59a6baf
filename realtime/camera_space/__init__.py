"""From 2.5D to millimetres in camera space, calm."""

"""From weights to an engine: graph, INT8, cache and its key, verification."""

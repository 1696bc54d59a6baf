"""The loop that trains every network."""

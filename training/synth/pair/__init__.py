"""Two hands that meet."""

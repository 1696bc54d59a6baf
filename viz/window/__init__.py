"""Windows on a screen, and what their keys do."""

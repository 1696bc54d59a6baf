"""Calibrated cameras in one world, and the files in which other programs keep them."""

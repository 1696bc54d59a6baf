"""Crops and cameras: where a crop lies, how it is cut, what a pixel means in space."""

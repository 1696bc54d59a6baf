"""A recording of several cameras: its videos, and which frames belong to the same moment."""

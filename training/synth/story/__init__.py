"""Hands in motion: clips with ground truth."""

"""Hands that hold something."""

"""Exact cameras around a rendered two-hand sequence: recordings whose truth is known."""

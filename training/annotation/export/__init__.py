"""Triangulated hands as sets to train on."""

"""Pairs composed of two photographs of one hand each: real skin, light and cameras where hands cover each other."""

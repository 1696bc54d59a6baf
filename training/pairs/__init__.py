"""Training the detector of hands that touch."""

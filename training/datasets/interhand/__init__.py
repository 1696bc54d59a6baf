"""InterHand2.6M, whose label files are large."""

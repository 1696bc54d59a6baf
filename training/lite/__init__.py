"""Training `lite`: batches, crops, augmentation, losses, confidence."""

"""Retraining: data sets, augmentation, losses, the training loop, evaluation and the generator of synthetic hands."""

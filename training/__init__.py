"""Retraining: data sets, augmentation, losses, the training loop, evaluation and the generator of synthetic hands."""

import engines  # noqa: F401  before a file that imports OpenVINO itself: it would post that it was started

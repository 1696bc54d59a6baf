"""A 2D detector of one's own: the simple baseline, trained on whatever has labelled joints."""

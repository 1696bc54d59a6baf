"""Judging hands: predictions, errors, figures, reports; any network or any predictions file on any data set."""

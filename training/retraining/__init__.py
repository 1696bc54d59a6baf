"""The stages of `python -m training.retrain`."""

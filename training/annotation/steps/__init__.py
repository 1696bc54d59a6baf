"""The steps of `python -m training.annotation`, one file each: its options, and what it calls."""

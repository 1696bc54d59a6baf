"""Which hands are followed, and in which crops."""

"""Shards of hands to train `lite` on."""

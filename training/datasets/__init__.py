"""Readers of labelled hands; every reader gives the same samples in InterHand2.6M's joint order."""

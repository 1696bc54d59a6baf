"""The words of the command line, and how a run ends."""

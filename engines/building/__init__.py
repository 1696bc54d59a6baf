"""From weights to the files of an engine: all that decides what is in them, and nothing else; the key hashes it."""

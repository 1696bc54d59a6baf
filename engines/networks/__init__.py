"""The networks as plain torch modules that export cleanly, and the files their weights live in."""

"""The track file: what it holds, reading, writing, smoothing it afterwards."""

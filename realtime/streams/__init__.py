"""The hands as they come, for other programs: OSC messages and a WebSocket with JSON."""

"""An engine against torch: how far its answers are, and how long it takes."""

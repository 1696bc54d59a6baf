"""What is drawn on the camera's picture."""

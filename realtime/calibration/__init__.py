"""Measuring a camera: the board, how well the picture is covered, the solution; `realtime.calibrate` is the command."""

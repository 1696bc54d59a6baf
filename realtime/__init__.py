"""Camera to camera-space hands: sources, detector, tracker, fusion, smoothing and the live loop."""

"""What a person sees: the Open3D window, the camera overlay and the playback of track files."""

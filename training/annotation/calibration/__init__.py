"""Where several cameras are and how they see, from videos of one board."""

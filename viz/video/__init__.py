"""Video files of the result, and pictures of a recording by time."""

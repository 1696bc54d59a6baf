"""Joints in the pictures of one camera, view by view."""

"""Who is there, what they wear, what stands behind, from where it is seen."""

"""What is made once and kept: compiled engines, each under the key of all that it depends on, and joined weights."""

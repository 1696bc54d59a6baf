"""From joints in several pictures to joints in space, and how far they can be trusted."""

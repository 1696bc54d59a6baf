"""From a scene to pictures, and pictures to shards."""

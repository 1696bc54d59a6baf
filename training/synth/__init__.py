"""The generator of synthetic hands: hand model, poses, motion, renderer, and the sample clip made with them."""

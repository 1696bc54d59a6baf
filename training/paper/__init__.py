"""Training the paper's own networks, InterNet and RootNet, as published."""

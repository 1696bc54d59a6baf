"""What runs a network: one module a runtime, and the one place that picks one."""

"""Networks, their input, their output and their compiled form; knows nothing of devices, threads or windows."""

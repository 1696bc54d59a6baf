"""Networks, their input, their output and their compiled form; knows nothing of devices, threads or windows."""

from engines.no_telemetry import switch_off

switch_off()

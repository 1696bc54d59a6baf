"""Putting right by hand what the machine is unsure of: a local web page, as the paper's annotators had a tool."""

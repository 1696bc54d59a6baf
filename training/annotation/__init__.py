"""Labels from several calibrated cameras: from a recording to a set to train on, as the paper's authors made theirs."""

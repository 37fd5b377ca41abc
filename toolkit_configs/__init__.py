"""VOT workspaces and the sweeps behind the paper's figures, installed as `roam_tracker.toolkit_configs`."""

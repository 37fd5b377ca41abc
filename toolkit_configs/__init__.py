"""Ready configurations for VOT workspaces, installed as `roam_tracker.toolkit_configs`."""

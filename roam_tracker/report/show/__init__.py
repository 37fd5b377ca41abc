"""Tables, plots and film strips."""

"""The paper's tables, figures and sweeps."""

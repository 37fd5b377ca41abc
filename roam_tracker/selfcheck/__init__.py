"""Whether an installation is fit to track and to be evaluated, and how fast it is."""

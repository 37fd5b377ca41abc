"""Jobs, and who does them: this process, others, a Ray cluster, one device many at once."""

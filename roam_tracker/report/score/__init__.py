"""The benchmarks' rules: one file each for functions, columns and rule together."""

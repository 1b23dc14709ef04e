"""What runs on a machine with a GPU: `make gpu` (checks) and `make gpu-bench` (measurements)."""

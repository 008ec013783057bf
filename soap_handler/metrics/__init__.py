"""Metrics: what is counted, and the shared memory that it is counted in. How it is shown is ``console``'s."""

"""Each call of a whole run fails in each way: `python -m tests.fault_injection` writes docs/contributing/failures.md."""

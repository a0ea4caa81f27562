"""Each call of a whole run goes wrong in each way: `python -m tests.fault_injection` makes the table in docs/contributing/failures.md."""

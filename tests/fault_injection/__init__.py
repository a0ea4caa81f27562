"""Each call of a whole run goes wrong in each way: `python -m tests.faults` makes the table in docs/faults.md."""

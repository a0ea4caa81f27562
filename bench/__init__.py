"""How fast and how large the command is, beside aws-amicleaner 0.2.2, against the fake AWS of the tests."""

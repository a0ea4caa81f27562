"""Everything that talks to AWS; no other part of the package knows boto3."""

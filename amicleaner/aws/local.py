"""What botocore's own data and the AWS configuration files tell, without a call: for the shell's completion."""

import re

from botocore.session import Session

_UNQUOTED = re.compile(r"[\w.@+/][\w.@+/-]*")
"""Names that every shell takes as one word, and none reads as anything else."""


def regions() -> list[str]:
    """The Regions that this version of botocore knows, the isolated partitions' aside."""
    session = Session()
    partitions = [name for name in session.get_available_partitions() if "iso" not in name]
    return sorted(region for name in partitions for region in session.get_available_regions("ec2", name))


def profiles() -> list[str]:
    """The profiles in the AWS configuration files whose names need no quotes."""
    return sorted(name for name in Session().available_profiles if _UNQUOTED.fullmatch(name))

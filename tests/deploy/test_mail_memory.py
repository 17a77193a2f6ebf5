"""What the mail adapter and the processes that read for it may hold together is within its pod."""

from pathlib import Path

import yaml

from services.email_adapter.reading import LARGE_AT_ONCE, MEGABYTES, SMALL_AT_ONCE, SMALL_MEGABYTES
from services.email_adapter.smtp.limits import LIMITS

POD = "deploy/k8s/base/email-adapter.yaml"
ITSELF = 128  # MiB, measured at 107 with nothing to do
ONE_LARGE = 3 * LIMITS.message // 2**20  # MiB: a mail as it goes to its reader, and its files as they come back


def test_all_limits_together_are_within_the_pod() -> None:
    with Path(POD).open() as file:
        deployment = next(one for one in yaml.safe_load_all(file) if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    readers = SMALL_AT_ONCE * SMALL_MEGABYTES + LARGE_AT_ONCE * MEGABYTES
    incoming = (LIMITS.memory + LIMITS.reserve) // 2**20
    assert ITSELF + incoming + ONE_LARGE + readers <= 1024

"""What connections are made with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.adapters.kafka.client import check_settings
from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Fatal

SECRET = "s3cret-of-the-broker"  # not a real one


def test_secrets_are_in_no_representation() -> None:
    """I10."""
    settings = KafkaSettings(bootstrap_servers="kafka:9092", sasl_plain_password=SECRET, ssl_password=SECRET)
    assert SECRET not in repr(settings)


def test_passwords_and_mechanisms_are_passed_by_their_names() -> None:
    options = client_options(
        KafkaSettings(
            bootstrap_servers="kafka:9092",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="bridge",
            sasl_plain_password=SECRET,
            request_timeout_s=2.5,
        )
    )
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("bridge", SECRET)
    assert (options["request_timeout_ms"], options["ssl_context"]) == (2_500, None)


def test_tls_verifies_and_only_the_host_name_may_go_unchecked() -> None:
    """D20."""
    settings = KafkaSettings(bootstrap_servers="kafka:9092", security_protocol="SSL", ssl_check_hostname=False)
    context = client_options(settings)["ssl_context"]
    assert (context.verify_mode.name, context.check_hostname) == ("CERT_REQUIRED", False)
    assert client_options(KafkaSettings(bootstrap_servers="k", security_protocol="SSL"))["ssl_context"].check_hostname


@pytest.mark.parametrize(
    "changes",
    [
        {"security_protocol": "TLS"},
        {"security_protocol": "SASL_PLAINTEXT"},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "NTLM"},
        {"security_protocol": "SSL", "ssl_cafile": "/no/such/file"},
        {"security_protocol": "SSL", "ssl_certfile": "/no/such/file"},
        {"compression": "brotli"},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"},
        {"bootstrap_servers": "kafka:port"},
        {"bootstrap_servers": ""},
    ],
)
async def test_settings_that_cannot_work_are_fatal(changes: dict[str, str]) -> None:
    with pytest.raises(Fatal):
        check_settings(replace(KafkaSettings(bootstrap_servers="kafka:9092"), **changes))  # type: ignore[arg-type]

"""Settings of the broker that only make sense together."""

from __future__ import annotations

from bridge.app.config.checks import section, text
from bridge.app.config.document import Section
from bridge.app.config.findings import Findings


def check_kafka(file: Section, findings: Findings) -> None:
    """Security protocol, mechanism, user and certificates."""
    kafka = section(file, "kafka")
    protocol = text(kafka, "security_protocol") or "PLAINTEXT"
    if "SASL" in protocol:
        _check_login(kafka, protocol, findings)
    else:
        _unused(kafka, "sasl_", protocol, "SASL_SSL", findings)
    if "SSL" not in protocol:
        _unused(kafka, "ssl_", protocol, "SASL_SSL" if "SASL" in protocol else "SSL", findings)
    if ("ssl_certfile" in kafka) != ("ssl_keyfile" in kafka):
        given = "ssl_certfile" if "ssl_certfile" in kafka else "ssl_keyfile"
        sentence = "a client certificate needs both `ssl_certfile` and `ssl_keyfile`"
        findings.error((*kafka.path, given), "half_certificate", sentence, at_key=True)


def _check_login(kafka: Section, protocol: str, findings: Findings) -> None:
    for needed, *others in (
        ("sasl_mechanism",),
        ("sasl_plain_username",),
        ("sasl_plain_password", "sasl_plain_password_file"),
    ):
        if not any(key in kafka for key in (needed, *others)):
            sentence = f"`security_protocol: {protocol}` needs `{needed}`"
            findings.error((*kafka.path, "security_protocol"), f"missing_{needed}", sentence)
    if protocol == "SASL_PLAINTEXT":
        sentence = "user and records travel readable over the network: use SASL_SSL where the brokers have it"
        findings.warning((*kafka.path, "security_protocol"), "unencrypted_kafka", sentence)


def _unused(kafka: Section, prefix: str, protocol: str, instead: str, findings: Findings) -> None:
    for key in kafka:
        if key.startswith(prefix):
            sentence = f"`{key}` does nothing with `security_protocol: {protocol}`: did you mean {instead}?"
            findings.warning((*kafka.path, key), "unused_security", sentence, at_key=True)

"""What every connection to the broker is made with."""

from __future__ import annotations

import ssl
from typing import Any

from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Fatal

RETRY_BACKOFF_MS = 100
METADATA_AGE_MAX_MS = 60_000
"""How late a grown topic may be noticed; a moved leader is noticed at once, by the refusal."""
IDLE_MAX_MS = 540_000
"""Under the ten minutes after which brokers drop idle connections by default."""


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments that all of aiokafka's clients share. Raises Fatal for files or pairs that cannot work."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.client_id,
        "request_timeout_ms": round(settings.request_timeout_s * 1000),
        "retry_backoff_ms": RETRY_BACKOFF_MS,
        "metadata_max_age_ms": METADATA_AGE_MAX_MS,
        "connections_max_idle_ms": IDLE_MAX_MS,
        "security_protocol": settings.security_protocol,
        "ssl_context": _ssl_context(settings),
        "sasl_mechanism": settings.sasl_mechanism or "PLAIN",
        "sasl_plain_username": settings.sasl_plain_username,
        "sasl_plain_password": settings.sasl_plain_password,
    }


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """Verifying always (D20); only the host name may be left unchecked, by name."""
    if settings.security_protocol not in ("SSL", "SASL_SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_password or "")
    except OSError as error:
        raise Fatal(f"the TLS files of kafka cannot be used: {error}", code="kafka_tls") from error
    context.check_hostname = settings.ssl_check_hostname
    return context

# build: every package by its hash out of the one lock, and the project as a wheel. Nothing here is compiled from C.
# last:  the interpreter of the base and that environment; no compiler, no package manager, no root, nothing written.
# Both stages take one base, so that the environment finds its interpreter at the same path.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock ./
# uv comes by the lock, and then holds what pyproject.toml asks for against the lock's versions and hashes
RUN python3 -m venv /tools \
 && awk '/^[^ ]/ { ours = /^uv==/ } ours' requirements.lock > /tools/requirements.txt \
 && /tools/bin/pip install --quiet --require-hashes --requirement /tools/requirements.txt
COPY pyproject.toml ./
# extras of pyproject.toml, by their names: empty for the service alone, `sandbox` for a trial's platform server
ARG EXTRAS=
RUN /tools/bin/uv venv --python "$(command -v python3)" /app/venv \
 && /tools/bin/uv pip install --python /app/venv --require-hashes --constraint requirements.lock \
      --requirement pyproject.toml ${EXTRAS:+--extra "$EXTRAS"}
COPY README.md LICENSE ./
COPY bridge ./bridge
RUN /tools/bin/uv build --wheel --require-hashes --build-constraint requirements.lock --out-dir /dist . \
 && /tools/bin/uv pip install --python /app/venv --no-deps /dist/*.whl
# Wheels carry symbols for debuggers, a third of all bytes here, stubs for type checkers, and zstandard a second backend
# for other interpreters. Bytecode is kept of what a running service imports, at once or late: it cannot be written later,
# compiling at each start takes memory, and that of everything would be as large again.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null \
 && find /app/venv -name '*.so' | while read -r library; do \
      if readelf -S "$library" | grep -q '\.debug_info'; then strip --strip-debug "$library"; fi; \
    done \
 && find /app/venv -name '*.pyi' -delete && rm -f /app/venv/lib/python3*/site-packages/zstandard/_cffi.*.so \
 && /app/venv/bin/python -c 'import bridge.app.cli, bridge.app.service, bridge.app.telemetry, anyio._backends._asyncio, pydantic.v1' \
 && /app/venv/bin/python -c 'import bridge.adapters.kafka.membership, opentelemetry.exporter.otlp.proto.http.metric_exporter, opentelemetry.exporter.otlp.proto.http.trace_exporter' \
 && /app/venv/bin/python -m compileall -q -x /bridge/sandbox/ /app/venv/lib/python3*/site-packages/bridge

FROM ${BASE_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bridge" \
      org.opencontainers.image.description="Carries results of re:infer / Communications Mining triggers onto Kafka" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# what the base could install with goes; what it has installed stays listed, for scanners
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin bridge \
 && rm -rf "$(python3 -c 'import ensurepip; print(ensurepip.__path__[0])')" /usr/local/lib/python3*/site-packages/* \
      /usr/local/bin/pip* /usr/bin/apt* /usr/bin/dpkg* /usr/bin/perl*
COPY --from=build /app/venv /app/venv
ENV PATH=/app/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["bridge"]
CMD ["run", "-c", "/etc/bridge/bridge.yaml"]

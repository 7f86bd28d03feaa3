# Four images: `daemon` (the default), `retrain` with the packages for training, `page` with those for the page and all that it can
# start, and `base`, on which they build.
# docker-compose.yml uses them, see docs/running-a-hall.md.

FROM python:3.12-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY stinger ./stinger
COPY models ./models
COPY replay ./replay
COPY service ./service
COPY hil ./hil
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib
RUN groupadd --gid 10001 stinger \
    && useradd --uid 10001 --gid stinger --home-dir /data --no-create-home --shell /usr/sbin/nologin stinger \
    && install --directory --owner=stinger --group=stinger --mode=0700 /data
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --compile "$(echo /wheels/*.whl)[nats,storage]"
WORKDIR /data
USER 10001:10001
ENTRYPOINT ["stinger"]

FROM base AS retrain
USER 0:0
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --compile "$(echo /wheels/*.whl)[train]"
USER 10001:10001
CMD ["retrain", "--data-dir", "/data", "--every", "6h"]

FROM base AS page
USER 0:0
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --compile "$(echo /wheels/*.whl)[train,broker,hil,web]"
USER 10001:10001
ENV STINGER_DATA_DIR=/data
EXPOSE 8420
CMD ["web", "--host", "0.0.0.0", "--password-file", "/data/page-password"]

FROM base AS daemon
ENV STINGER_DATA_DIR=/data \
    STINGER_METRICS_HOST=0.0.0.0 \
    STINGER_METRICS_PORT=9464
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/readyz', timeout=5)"]
CMD ["run"]

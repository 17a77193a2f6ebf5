# One image for every service: `docker run parley services.router`, `docker run parley services.cli migrate`.

FROM python:3.11-slim-trixie AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/parley UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# Libraries change seldom, so they are a layer of their own.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-default-groups --no-install-project --no-cache
COPY README.md ./
COPY shared ./shared
COPY services ./services
COPY deploy ./deploy
RUN uv sync --locked --no-default-groups --no-editable --no-cache

FROM python:3.11-slim-trixie
LABEL org.opencontainers.image.title="Parley" \
      org.opencontainers.image.description="A multi-channel messaging gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
# Only this folder may be written to, and only where a volume or a blob store in a folder is wanted.
RUN groupadd --gid 10001 parley \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin parley \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/parley
COPY --from=build /opt/parley /opt/parley
# PYTHONSAFEPATH: modules come from the image, never from the folder that the process happens to stand in.
ENV PATH=/opt/parley/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1
USER 10001:10001
WORKDIR /var/lib/parley
EXPOSE 8080 8025
ENTRYPOINT ["python", "-m"]
CMD ["services.cli", "--help"]

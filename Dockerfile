# docs/container.md says how to build and run it. Pin the base image by its digest for releases.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/amicleaner
COPY requirements.txt ./
RUN pip --python /opt/amicleaner/bin/python install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY amicleaner amicleaner
RUN pip --python /opt/amicleaner/bin/python install --no-cache-dir --no-deps .

FROM ${PYTHON}
RUN useradd --uid 10001 --create-home amicleaner
COPY --from=build /opt/amicleaner /opt/amicleaner
ENV PATH=/opt/amicleaner/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /home/amicleaner
# A run ends by itself: its health is its exit status.
HEALTHCHECK NONE
ENTRYPOINT ["amicleaner"]

# rmaudit for pipelines: runs offline, as a user without rights. Build with: docker build -t rmaudit .
# Run with: docker run --rm --network none --user "$(id -u):$(id -g)" -e HOME=/tmp -v "$PWD:/work" \
#           rmaudit scan checkpoint --out run --offline         (as yourself, so that it may write beside the checkpoint)
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/rmaudit \
 && /opt/rmaudit/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM python:3.12-slim
COPY --from=build /opt/rmaudit /opt/rmaudit
RUN useradd --create-home --uid 10001 auditor
USER auditor
WORKDIR /work
ENV PATH=/opt/rmaudit/bin:$PATH HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["rmaudit"]
CMD ["--help"]

# dlutil with all that it needs: docker build -t dlutil . && docker run --rm -v "$PWD:/work" dlutil
# run -f def.py -d data -r results -y -e. PIP_ARGS="--extra-index-url ADDRESS" chooses PyTorch's CPU build.
FROM python:3.11.9-slim-bookworm

ARG PIP_ARGS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

COPY . /opt/dlutil
# The build tools in their pinned versions, as the Makefile does.
# hadolint ignore=SC2086
RUN pip install -c /opt/dlutil/constraints.txt hatchling setuptools \
    && pip install ${PIP_ARGS} -c /opt/dlutil/constraints.txt --no-build-isolation "/opt/dlutil[cluster]"

# Results belong to who started the container, where it is given --user.
ENV HOME=/tmp
WORKDIR /work
USER 1000
ENTRYPOINT ["dlutil"]
CMD ["--help"]

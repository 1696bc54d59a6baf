# Two hands from one camera on a CPU, without windows; built and run with
#   docker build -t two-hands-live .
#   docker run --rm --network none -u "$(id -u):$(id -g)" -v "$PWD:/data" two-hands-live \
#     --video /data/clip.mp4 --headless --save-tracks /data/clip.npz
# A camera: --device /dev/video0 --group-add video instead of --network none, and --camera 0 --headless.
FROM debian:bookworm-slim

WORKDIR /opt/two-hands-live
COPY . .

# The set-up installs what it needs through apt. PyTorch for CPUs spares 3 GB.
# hadolint ignore=DL3008 -- the newest of Debian stable is wanted, with its mends
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
 && PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu PIP_NO_CACHE_DIR=1 scripts/setup.sh formats \
 && rm -rf /var/lib/apt/lists/*

# Compiled engines: whoever runs the container may write them, also a number without a name. One is there already.
ENV XDG_CACHE_HOME=/var/cache/engines PYTHONDONTWRITEBYTECODE=1
RUN install -d -m 1777 "$XDG_CACHE_HOME" "$XDG_CACHE_HOME/two-hands-live" \
 && .venv/bin/python -m engines.build --backend openvino \
 && chmod 1777 "$XDG_CACHE_HOME"/two-hands-live

ENTRYPOINT [".venv/bin/python", "run_demo.py"]
CMD ["--help"]

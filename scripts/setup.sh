#!/usr/bin/env bash
# Set-up of this checkout: Python, system libraries, and .venv with the pinned dependencies.
#
#   [PYTHON=/path/to/python3.11] [BROWSER=yes] scripts/setup.sh [extras]     extras: "tensorrt" or "tensorrt,rtx"
#
# BROWSER=yes, as `make test` has it, also brings Chromium for the tests of pages, where apt may.
# A second call finds .venv/ready and ends at once. System packages come through apt when this user may install them
# (root, or sudo without a password); otherwise what is missing is named. Files are written to .venv only.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONPATH PYTHONHOME

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# Debian package and the library it brings. Without the needed ones an import fails; the others cost a window.
NEEDED="libegl1:libEGL.so.1 libgl1:libGL.so.1 libx11-6:libX11.so.6 libudev1:libudev.so.1 libusb-1.0-0:libusb-1.0.so.0
        libidn2-0:libidn2.so.0 libglib2.0-0:libgthread-2.0.so.0 libgomp1:libgomp.so.1"
WANTED="libsm6:libSM.so.6 libxext6:libXext.so.6"

# ---- apt

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_use_apt() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

apt_install() {
  say "installing with apt: $*"
  as_root apt-get update -qq || say "apt-get update failed; trying with the package lists there are"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
    say "apt-get install failed"
}

# ---- Python

fits='import sys; v = sys.version_info; sys.exit(not (3, 10) <= v[:2] <= (3, 12))'

find_python() { # prints the first of the given names that runs and fits, the one with venv before one without
  local name found=
  for name in "$@"; do
    "$name" -c "$fits" >/dev/null 2>&1 || continue
    if "$name" -c 'import ensurepip, venv' 2>/dev/null; then echo "$name"; return; fi
    found=${found:-$name}
  done
  [ -n "$found" ] && echo "$found"
}

choose_python() {
  local names=(python3.11 python3.12 python3.10 python3 python)
  [ -z "${PYTHON:-}" ] || names=("$PYTHON")
  find_python "${names[@]}" && return
  local name version seen=
  for name in "${names[@]}"; do
    version=$("$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    seen+="${seen:+, }$name is $version"
  done
  say "Python 3.10, 3.11 or 3.12 is needed (MediaPipe 0.10.21 has no wheel for others);" \
    "${seen:-${PYTHON:-python3} was not found or does not start}."
  die "Install one (Debian 12, Ubuntu 22.04 and 24.04: sudo apt-get install -y python3 python3-venv; elsewhere:" \
    "uv python install 3.11) and name it: make setup PYTHON=/path/to/python3.11"
}

# ---- System packages

missing_of() { # prints the packages among "package:library ..." whose library the chosen Python cannot load
  "$python" - $1 <<'PY'
import sys

try:
    from ctypes import CDLL
except ImportError:  # Debian's python3-minimal: it cannot tell, and the venv package completes it

    def CDLL(library):
        raise OSError


for pair in sys.argv[1:]:
    package, library = pair.split(":")
    try:
        CDLL(library)
    except OSError:
        print(package)
PY
}

has_gl_driver() {
  local file
  for file in /usr/lib{,64}{,/*-linux-gnu}/{dri/swrast_dri.so,libgallium-*.so,libEGL_nvidia.so.0}; do
    [ -e "$file" ] && return
  done
  return 1
}

missing_wanted() { # packages that windows and rendered pictures need, and nothing else
  missing_of "$WANTED"
  has_gl_driver || echo libgl1-mesa-dri
  command -v xvfb-run >/dev/null || echo xvfb
  command -v xauth >/dev/null || echo xauth # without it xvfb-run does not start
}

missing_needed() { missing_venv; missing_of "$NEEDED"; }

missing_venv() {
  "$python" -c 'import ensurepip, venv' 2>/dev/null || "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
}

system_packages() {
  local missing
  missing=$(missing_needed; missing_wanted)
  [ -n "$missing" ] || return 0
  if may_use_apt; then apt_install $missing; fi
  missing=$(missing_wanted | paste -sd' ')
  [ -z "$missing" ] || say "going on without $missing: windows and headless rendering may need them" \
    "(sudo apt-get install -y $missing)"
  missing=$(missing_needed | paste -sd' ')
  [ -z "$missing" ] || die "system packages are missing; install them with: sudo apt-get install -y $missing"
}

# ---- A browser, which only tests of pages need

has_browser() { # the names of tests/support/chromium.py
  local name
  for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    ! command -v "$name" >/dev/null || return 0
  done
  return 1
}

browser() { # tried once for a venv: without network each try would take a while
  if [ -z "${BROWSER:-}" ] || [ -e .venv/browser ] || has_browser; then return 0; fi
  if may_use_apt; then
    apt_install chromium-headless-shell
    has_browser || apt_install chromium
  fi
  has_browser || say "going on without Chromium: the tests of pages will be skipped (sudo apt-get install -y chromium)"
  touch .venv/browser
}

# ---- The venv

with_known_extras() { # the extras asked for now and before, sorted, with commas
  { echo "test,synth,$1"; cat .venv/extras 2>/dev/null || true; } | tr ', ' '\n\n' | sed '/^$/d' | sort -u | paste -sd,
}

check_extras() {
  local extra
  for extra in ${extras//,/ }; do
    grep -q "^$extra = \[" <(sed -n '/^\[project.optional-dependencies\]/,/^\[tool/p' pyproject.toml) ||
      die "there are no extra dependencies called '$extra'; EXTRAS takes tensorrt, rtx, int8, formats, rerun, cluster or several: EXTRAS=tensorrt,formats"
  done
}

key() { # all that the venv depends on
  { cat pyproject.toml constraints.txt scripts/setup.sh; echo "$extras"; } | sha256sum
}

venv_runs() { # the venv's Python starts, fits, and is the version PYTHON asks for
  .venv/bin/python -c "$fits" 2>/dev/null || return 1
  [ -n "${PYTHON:-}" ] || return 0
  local version='import sys; print(sys.version_info[:2])'
  [ "$(.venv/bin/python -c "$version")" = "$("$PYTHON" -c "$version" 2>/dev/null)" ]
}

install() {
  local quiet=-q
  [ -t 1 ] && quiet=
  say "installing the dependencies into .venv (3 GB on disk, 6.5 GB where torch comes with CUDA) ..."
  export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
  .venv/bin/python -m pip install $quiet --no-input -c constraints.txt -e ".[$extras]" ||
    die "pip failed (above). Check the network and the space on the disk, then call make again: it goes on from here."
  .venv/bin/python -m pip check >&2 || die "the installed packages contradict each other (above): make clean, then again"
}

extras=$(with_known_extras "${1:-}")
if venv_runs && [ "$(cat .venv/ready 2>/dev/null)" = "$(key)" ]; then
  browser
  exit 0
fi

check_extras
[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || say "only Linux on x86_64 is tested; MediaPipe has no wheel for Linux on ARM"
command -v python3 >/dev/null || [ -n "${PYTHON:-}" ] || ! may_use_apt || apt_install python3 python3-venv
python=$(choose_python)
system_packages
if ! venv_runs; then
  say "making .venv with $("$python" -c 'import platform, sys; print("Python", platform.python_version(), sys.executable)')"
  "$python" -m venv --clear .venv
fi
rm -f .venv/ready
install
echo "$extras" >.venv/extras
key >.venv/ready
browser
say "ready"

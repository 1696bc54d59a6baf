#!/usr/bin/env bash
# What `make test` runs: format, lint, types and tests; types and some tests beside the others, so that no core waits.
#
# What goes beside speaks at the end, also after a failure. The exit code is 0 only if everything went well.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cores=$(env -u OMP_NUM_THREADS nproc) # nproc takes the next line for their number
export OMP_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE # a hundred processes are started: each would compile all sources anew

# A quarter of it all, in one process beside the others: what compiles engines, Ray's cluster, and some of what trains, as
# whoever takes a first step with torch imports its compilers, and whoever exports its exporter.
aside=(tests/engines/building tests/program/test_benchmarks.py tests/realtime/batch/test_batch_ray.py
  tests/training/paper tests/training/pairs tests/training/annotation/test_export.py)
python=.venv/bin/python

told() { printf '+ %s\n' "$*"; "$@"; }

beside() {
  local code=0
  told $python -m mypy || code=$?
  told $python -m pytest "${aside[@]}" || code=$?
  return $code
}

told $python -m ruff format --check . && told $python -m ruff check . || exit

work=$(mktemp -d)
log=$work/beside.log
export TEST_WORK=$work
export TEST_GRAPHS=$PWD/.cache/test_graphs # exported networks, for all test processes and the next run (tests/support/kept_graphs.py)
mkdir -p "$TEST_GRAPHS"
set -m # a process group of its own, which can be ended as a whole
beside >"$log" 2>&1 &
others=$!
set +m
trap 'kill -- -$others 2>/dev/null; rm -rf "$work"' EXIT

# Many tests start the program: with its engine in the cache, none of them builds it, let alone three at once. Nor does
# each process compile all sources of a fresh checkout: this one has.
told $python -m tests.support.done_once "$TEST_GRAPHS"

# One process more than cores, four at most: tests wait for windows, sockets and clocks, too. The longest files begin first
# (tests/support/longest_first.py).
told $python -m pytest -n $((cores < 4 ? cores + 1 : 4)) --dist loadfile --no-loadscope-reorder "${aside[@]/#/--ignore=}"
code=$?
[ $code = 2 ] && exit 2 # Ctrl-C
wait $others || code=$?
cat "$log"
exit $code

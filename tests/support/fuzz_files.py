"""Coverage-guided fuzzing of every file the program reads, with atheris (`make setup EXTRAS=fuzz`).

    python -m tests.support.fuzz_files                     every kind of file, 20 seconds each
    python -m tests.support.fuzz_files tracks.npz 600      one kind, so many seconds
    python -m tests.support.fuzz_files tracks.npz FILE     try one file, such as out/fuzz/tracks.npz/crash-...

What is found lies in out/fuzz/NAME; the exit code says whether anything was.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("error: atheris is not installed: run make setup EXTRAS=fuzz (Python 3.11 or newer, Linux)")

with atheris.instrument_imports(include=["engines", "realtime", "training", "yaml", "json", "zipfile", "safetensors"]):
    from tests.support.file_readers import READERS, FileReader, read_anyhow

OUT = Path(__file__).parents[2] / "out" / "fuzz"
SECONDS = 20
LARGEST = 1 << 16
MEMORY_MB = 3000
TIMEOUT_S = 20


def fuzz(reader: FileReader, words: list[str]) -> None:
    """Fuzz one kind of file in this process; never returns."""
    logging.disable(logging.WARNING)
    found = OUT / reader.name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / reader.name
        reader.good(path)
        (found / "good").write_bytes(path.read_bytes())

        def one(data: bytes) -> None:
            path.write_bytes(data)
            read_anyhow(reader, path)

        limits = ["-verbosity=0", f"-max_len={LARGEST}", f"-rss_limit_mb={MEMORY_MB}", f"-timeout={TIMEOUT_S}"]
        arguments = [*words, *limits, f"-artifact_prefix={found}/"]
        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()


def main(words: list[str]) -> int:
    """All kinds, each in a process of its own, or the one that is named."""
    readers = {reader.name: reader for reader in READERS}
    if not words:
        command = [sys.executable, "-m", "tests.support.fuzz_files"]
        bad = [name for name in readers if subprocess.run([*command, name, str(SECONDS)], check=False).returncode]
        print(f"found something in {', '.join(bad)}" if bad else "nothing found")
        return 1 if bad else 0
    if words[0] not in readers:
        print(f"error: {words[0]} is no kind of file; there are {', '.join(readers)}", file=sys.stderr)
        return 2
    given = words[1] if len(words) > 1 else str(SECONDS)
    corpus = str(OUT / words[0])
    fuzz(readers[words[0]], [corpus, f"-max_total_time={given}"] if given.isdecimal() else [given])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a benchmark says of the machine and the software it ran on."""

from __future__ import annotations

import io
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from indexer.version import VERSION

__all__ = ["describe", "introduce", "keep_to_cores", "resident_bytes"]

_PACKAGES = (
    "faiss-cpu",
    "numpy",
    "openvino",
    "sentence-transformers",
    "torch",
    "whoosh3",
)


def describe() -> dict[str, str]:
    """Processor, cores, memory, load, Python and package versions; packages that are not installed are left out."""
    found = {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _field("/proc/meminfo", "MemTotal"),
        # Whoever reads the figures should see whether the machine had other work.
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "",
        "python": platform.python_version(),
        "system": platform.system(),
        "concord-search": VERSION,
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def introduce() -> dict[str, str]:
    """Print what `describe` returns, at the head of a benchmark, and return it for the result.

    From here on lines are seen at once, in a pipe too.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    found = describe()
    print(
        f"{found['processor']}, {found['cores']} cores, {found['memory']}, load {found['load']}; {found['system']}, "
        f"Python {found['python']}"
    )
    packages = (name for name in ("concord-search", *_PACKAGES) if name in found)
    print(", ".join(f"{name} {found[name]}" for name in packages))
    return found


def keep_to_cores(count: int) -> int:
    """Keep this process and its children to `count` cores, where the system can; returns how many it may use."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)
    return len(cores)


def resident_bytes(process: int | None = None) -> int:
    """Resident memory of a process (default: this one) in bytes; 0 where the system does not say."""
    text = _field(f"/proc/{process or os.getpid()}/status", "VmRSS")
    return int(text.split()[0]) * 1024 if text else 0


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")

"""What a benchmark says of the machine and the software it ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["describe"]

_PACKAGES = ("concord-search", "faiss-cpu", "numpy", "onnxruntime", "sentence-transformers", "torch", "whoosh3")


def describe() -> dict[str, str]:
    """Processor, cores, memory, Python and package versions."""
    found = {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "python": platform.python_version(),
        "system": platform.system(),
    }
    return found | {name: version(name) for name in _PACKAGES}


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")

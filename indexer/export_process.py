"""Exporting an encoder in a process of its own, so that torch, 800 MB of it, is never in the one that indexes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from .encoder import EncoderSpec
from .errors import EncoderError

__all__ = ["export_apart"]


def export_apart(name: str, index_dir: Path) -> tuple[EncoderSpec, str]:
    """Export the encoder `name` into the index, if it is not there, without loading torch here.

    Returns the spec, and why the encoder could not be exported or '' when it was. Raises EncoderError when there is no
    such encoder.
    """
    command = [sys.executable, "-m", __name__, name, str(index_dir)]
    # The child must find the packages that this process found, however it did.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    watched, held = os.pipe()
    try:
        # Held open as long as this process lives: see `_end_with_parent`.
        child = subprocess.run(command, stdin=watched, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    finally:
        os.close(watched)
        os.close(held)
    lines = child.stdout.splitlines()
    if child.returncode or not lines:
        reason = (child.stderr.splitlines() or ["it said nothing"])[-1].strip()
        raise EncoderError(f"The encoder '{name}' could not be exported (exit code {child.returncode}: {reason}).")
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise EncoderError(answer["error"])
    return EncoderSpec(**answer["spec"]), answer["failure"]


def _export(name: str, index_dir: Path) -> dict[str, object]:
    from .encoding import carried_encoder
    from .manifest import encoder_folder
    from .torch_encoder import TorchEncoder, export

    try:
        encoder = TorchEncoder(name)
    except EncoderError as error:
        return {"error": str(error)}
    failure = ""
    if carried_encoder(index_dir, encoder.spec) is None:
        try:
            export(encoder, encoder_folder(index_dir, encoder.spec))
        except EncoderError as error:
            failure = str(error)
    return {"spec": asdict(encoder.spec), "failure": failure}


def _end_with_parent() -> None:
    """End this process when its input ends, because then its parent has: nobody would use what it writes."""
    while os.read(0, 1):
        continue
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(json.dumps(_export(sys.argv[1], Path(sys.argv[2]))))

"""Exporting an encoder in a process of its own, so that torch, 800 MB of it, is never in the one that indexes."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile

from indexer.encoders.spec import EncoderSpec
from indexer.errors import EncoderError
from indexer.system.child_process import end_with_parent, running

__all__ = ["export_apart"]


def export_apart(name: str, index_dir: Path) -> tuple[EncoderSpec, str]:
    """Export the encoder `name` into the index, if it is not there, without loading torch here.

    Returns the spec, and why the encoder could not be exported or '' when it was. Raises EncoderError when there is no
    such encoder.
    """
    with TemporaryFile("w+", encoding="utf-8") as output, TemporaryFile("w+", encoding="utf-8") as errors:
        with running(__name__, name, str(index_dir), output=output, errors=errors) as child:
            code = child.wait()
        output.seek(0)
        errors.seek(0)
        lines, complaints = output.read().splitlines(), errors.read().splitlines()
    if code or not lines:
        reason = (complaints or ["it said nothing"])[-1].strip()
        raise EncoderError(f"The encoder '{name}' could not be exported (exit code {code}: {reason}).")
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise EncoderError(answer["error"])
    return EncoderSpec(**answer["spec"]), answer["failure"]


def _export(name: str, index_dir: Path) -> dict[str, object]:
    from indexer.encoders.carried import carried_encoder, encoder_folder
    from indexer.encoders.original import TorchEncoder, export

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


if __name__ == "__main__":
    end_with_parent()
    print(json.dumps(_export(sys.argv[1], Path(sys.argv[2]))))

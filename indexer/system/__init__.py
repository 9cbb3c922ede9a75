"""Files, locks, checksums and processes: what stands between an index and its machine."""

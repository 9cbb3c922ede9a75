"""The fault suite: kills, power cuts, damage, full disks, readers among writers, a thousand updates.

`make test` runs a short form; `make faults` (FAULTS=long in the environment) runs the counts that docs/reliability.md
reports.
"""

"""Labels and typicalities of more texts than one process takes: `--mode score`.

The input is a set of files, and each is a part of the work: an engine (this process, or Ray's
workers on one machine or many) does part after part, and leaves one file for each.
"""

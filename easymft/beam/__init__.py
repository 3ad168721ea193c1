"""Work on more texts than one machine takes, as Apache Beam pipelines (`easymft[beam]`).

`python -m easymft.beam --help` lists them. They run on this machine as they are, and with
`--runner` on Flink, Spark or Dataflow.
"""

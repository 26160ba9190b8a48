"""A local Apache Flink cluster with Beam's job server, for trying the pipeline on a real one."""

"""Networks measured by Apache Spark, for what passes one machine's memory; the extra `spark` installs what it needs.

`engine` starts Spark on an exported network and writes the answer; `frames` has the measures in DataFrames alone, and
`graphframes` has them from GraphFrames, where its jar is given. Nothing here is loaded by the service.
"""

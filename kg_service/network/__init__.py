"""Networks of the graph: who is tied to whom by what, measured, told over time, drawn and exported.

`projection`, `selection`, `measures`, `jobs` and `rowfiles` belong to the service, which never loads numpy, networkit
or networkx; the other modules are the program of a worker process, which can be killed at any moment.
"""

"""Other people's data: what each data set is, where its files lie, and the change that they make.

described.py   the descriptions in data/datasets: one TOML file each, which every way of bringing data in reads
files.py       the files of a description in a folder: tables through mappings, RDF through CONSTRUCT queries
fetching.py    parts that are had from elsewhere, by URL or from a SPARQL endpoint page by page
refreshing.py  what changed in a data set since it was loaded, and when it is time to look again
loading.py     all of them, each into a named graph of its own, with every row accounted for
"""

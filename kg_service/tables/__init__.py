"""Tables into the graph: a row becomes statements by a mapping, which is a CONSTRUCT query with a variable per column.

rows.py       what a table is once it is read
reading.py    CSV, TSV and XLSX as rows of texts, in bounds; geojson.py  features as rows
values.py     what people type in cells, as terms: dates, countries, languages, entries of lists, things by name
mapping.py    the mappings, and what one makes of a row
constructing.py  the query of a mapping over many rows at once
importing.py  all rows: what is wrong with which, and the change that the others make
blank.py      the blank workbook of a template
process.py    reading and mapping in a process of its own, for what strangers send
"""

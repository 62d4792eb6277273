"""Tables into the graph: a row becomes statements by a mapping, which is a CONSTRUCT query with a variable per column.

reading.py    CSV, TSV and XLSX as rows of texts, in bounds
values.py     what people type in cells, as terms: dates, countries, languages, entries of lists, things by name
mapping.py    the mappings, and what one makes of a row
importing.py  all rows: what is wrong with which, and the change that the others make
blank.py      the blank workbook of a template
process.py    reading and mapping in a process of its own, for what strangers send
"""

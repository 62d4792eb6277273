"""SPARQL text: what may be evaluated, and how it comes in and goes out by the SPARQL 1.1 Protocol."""

"""`python -m kg_service`: the same as `kg`."""

from kg_service.cli import main

main()

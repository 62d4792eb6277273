"""`python -m kg_service`: the same as `kg`."""

import sys

try:
    from kg_service.cli import main

    main()
except KeyboardInterrupt:
    sys.exit(130)

"""The worker: runs the journeys and their steps, until SIGINT or SIGTERM. In-flight activities finish first.

    python worker.py

It needs a migrated database and waits for a Temporal server; the settings name both
(`perennial.platform.settings`, `temporalio.envconfig`). `--address` names an embedded engine, `--child` ends it with
the process that started it.
"""

import sys

from perennial.app.run_worker import main

if __name__ == "__main__":
    sys.exit(main())

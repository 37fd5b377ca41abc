"""`python -m roam_tracker` is `roam`."""

from roam_tracker.commands import main

raise SystemExit(main())

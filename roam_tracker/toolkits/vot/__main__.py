"""`python -m roam_tracker.toolkits.vot [TRACKER]`."""

from roam_tracker.toolkits.vot import main

raise SystemExit(main())

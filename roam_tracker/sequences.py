"""Published lists of sequences, where the report looks for them."""

from roam_tracker.datasets.lists import LASOT_TEST, OTB50, OTB2013, OTB2015, OTB_LATE_STARTS, OTB_RANGES

__all__ = ["LASOT_TEST", "OTB50", "OTB2013", "OTB2015", "OTB_LATE_STARTS", "OTB_RANGES"]

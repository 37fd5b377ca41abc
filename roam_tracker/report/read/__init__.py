"""Raw results and ground truth of every layout."""

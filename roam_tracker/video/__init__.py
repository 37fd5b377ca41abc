"""A video followed: frames from files and cameras, what was found as files and as pictures."""

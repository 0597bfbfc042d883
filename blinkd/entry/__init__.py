"""PIN and badge: the way in for people whom the camera cannot do."""

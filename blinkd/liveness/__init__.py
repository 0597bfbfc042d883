"""Evidence that a live person stands before the camera: blink, head turn, continuity, and the policy that joins them."""

"""Evidence for and against a live person before the camera: signs of life, passive cues, the challenge, and the policy that joins them."""

"""From a picture to faces: detection, landmarks, alignment, quality, embedding."""

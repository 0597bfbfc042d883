"""Who it is: gallery, matcher, thresholds, enrolment."""

"""The attack kit: makes clips of presentation and injection attacks from bona fide clips and pictures."""

"""Measurements that anyone can repeat: accuracy on labelled pairs, time and memory on the machine at hand."""

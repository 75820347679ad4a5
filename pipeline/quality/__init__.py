"""What can be wrong with a set of pictures: their faults, their labels, and whether they still look like the
traffic."""

"""A procedural street: pictures with a known truth, and the network's part played on one machine."""

"""The quarter-hourly look at what needs nobody's word: traffic, drift, disk, chain, nights, cost."""

"""Pictures of the same street: copies, crops, frames of a burst. They are one family and never cross a
split."""

"""What can go wrong and be put right by a person; everything else keeps its traceback."""


class Fixable(Exception):
    """`str(error)` is one line: the file or place, the key, the remedy."""


class Away(Fixable):
    """Somebody outside does not answer now; the same again may go well."""


class ImageError(Fixable):
    """These bytes are no picture that is accepted."""


class BundleError(Fixable):
    """This folder is no bundle, or was altered since it was sealed."""

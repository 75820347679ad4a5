"""Pictures small enough to lie in a page itself."""

import base64

import cv2

from inference_runtime import preprocess
from pipeline import challenge, images

SIZE = (176, 99)


def thumb(image: str) -> str:
    small = cv2.resize(preprocess.decode(images.read(image)), SIZE, interpolation=cv2.INTER_AREA)
    return "data:image/jpeg;base64," + base64.b64encode(challenge.encode(small)).decode()


def figure(image: str, words: str, caption: str) -> str:
    """`caption` is HTML; `words` are for those who cannot see the picture."""
    return f'<figure><img alt="{words}" src="{thumb(image)}"><figcaption>{caption}</figcaption></figure>'

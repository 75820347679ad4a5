"""The one message of subnet 72."""

from bittensor import Synapse


class ImageSynapse(Synapse):
    """Asked with an image, answered with a prediction; its name is the route."""

    image: str = ""  # base64 of a JPEG
    prediction: float = -1.0
    testnet_label: int = -1

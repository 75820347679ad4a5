"""A video as the pictures it holds: keyframes, so many to the second, each a JPEG in its own right."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from importlib.util import find_spec

from inference_runtime.bodies import IMAGES, Asked, Clip
from inference_runtime.errors import Fixable, ImageError
from inference_runtime.film import FRAME, WRONG
from inference_runtime.picture import Picture
from inference_runtime.wire import Refusal

# ISO media files of these brands are pictures.
PICTURES = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
PROGRAM = (sys.executable, "-m", "inference_runtime.film")
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Sampling:
    """How many keyframes to the second, of videos of at most so many seconds."""

    fps: float = 1.0
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not (self.fps > 0 and self.seconds > 0 and self.fps * self.seconds < IMAGES):
            raise Fixable(f"--video-fps times --video-seconds: more than 0 and less than {IMAGES}")


def is_video(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] not in PICTURES


def unfolded(
    asked: Asked, sampling: Sampling, check: Callable[[], None]
) -> tuple[Asked, list[Picture | ImageError]]:
    """What there is to look at, frames in place of videos; `check` raises when nobody waits any more."""
    images: list[Picture | ImageError] = []
    clips: list[Clip] = []
    for one in asked.images:
        if not is_video(one.data):
            images.append(one)
            continue
        try:
            stills = list(frames(one.data, sampling, check))
        except ImageError as error:
            images.append(ImageError(str(error)))  # without its traceback, that holds this list
            continue
        clips.append(Clip(one.name(), len(images), tuple(at for at, _ in stills)))
        images += [Picture(data) for _, data in stills]
        if len(images) > IMAGES:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"videos: over {IMAGES} pictures and frames in all")
    return replace(asked, clips=clips), images


def frames(data: bytes, sampling: Sampling, check: Callable[[], None]) -> Iterator[tuple[float, bytes]]:
    """When, in seconds from the start; and the frame, as the other process gives it."""
    if find_spec("av") is None:
        reason = "video: this server reads none; it needs pip install 'retrain-72[video]'"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason)
    status, said, wrong = _asked(data, sampling, check)
    if status == WRONG:
        raise ImageError(wrong.strip().rpartition("\n")[2])
    if status:
        raise ImageError("video: it takes too much memory, or its reader down")
    while said:
        at, length = FRAME.unpack_from(said)
        yield at, said[FRAME.size : FRAME.size + length]
        said = said[FRAME.size + length :]


def _asked(data: bytes, sampling: Sampling, check: Callable[[], None]) -> tuple[int, bytes, str]:
    pipe = subprocess.PIPE
    command = [*PROGRAM, str(sampling.fps), str(sampling.seconds)]
    unsent: bytes | None = data
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            while True:
                try:
                    said, wrong = process.communicate(unsent, timeout=LOOK_SECONDS)
                    return process.returncode, said, wrong.decode(errors="replace")
                except subprocess.TimeoutExpired:
                    unsent = None  # it is on its way, and may be handed over once
                    check()
        finally:
            process.kill()

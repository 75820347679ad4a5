"""A video as the pictures it holds: keyframes, so many to the second, each a JPEG in its own right."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from io import BytesIO
from typing import Any

from PIL import Image

from inference_runtime.bodies import IMAGES, Asked, Clip
from inference_runtime.errors import Fixable, ImageError
from inference_runtime.predictor import name_of
from inference_runtime.wire import Refusal

# ISO media files of these brands are pictures.
PICTURES = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
# No larger than 4K, for a decoder holds several; and no model looks closer than at this many pixels a side.
PIXELS = 9_437_184
SIDE = 1280
QUALITY = 95
UPRIGHT = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
# A file may not send its reader to other files.
OPTIONS = {"enable_drefs": "0", "use_absolute_path": "0"}


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
) -> tuple[Asked, list[bytes | ImageError]]:
    """What there is to look at, frames in place of videos; `check` raises when nobody waits any more."""
    images: list[bytes | ImageError] = []
    clips: list[Clip] = []
    for one in asked.images:
        if not is_video(one):
            images.append(one)
            continue
        try:
            stills = list(_stills(one, sampling, check))
        except ImageError as error:
            images.append(ImageError(str(error)))  # without its traceback, that holds this list
            continue
        clips.append(Clip(name_of(one), len(images), tuple(at for at, _ in stills)))
        images += [data for _, data in stills]
        if len(images) > IMAGES:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"videos: over {IMAGES} pictures and frames in all")
    return replace(asked, clips=clips), images


def _stills(data: bytes, sampling: Sampling, check: Callable[[], None]) -> Iterator[tuple[float, bytes]]:
    """When, in seconds from the start; and the frame."""
    av = _library()
    try:
        # The format is named: guessing would open playlists, which name files of this machine.
        with av.open(BytesIO(data), format="mp4", options=OPTIONS) as film:
            for at, frame in _keyframes(film, sampling, check):
                yield round(at, 3), _jpeg(frame)
    except (av.FFmpegError, ValueError, OSError, LookupError, ArithmeticError, MemoryError) as error:
        raise ImageError(f"video: broken or truncated ({' '.join(str(error).split())[:200]})") from error


def _keyframes(film: Any, sampling: Sampling, check: Callable[[], None]) -> Iterator[tuple[float, Any]]:
    track = next(iter(film.streams.video), None)
    if track is None or track.codec_context is None:
        raise ImageError("video: no picture track")
    _refuse_large(track.codec_context.width, track.codec_context.height)
    length = max(_seconds(film.duration, 1e-6), _seconds(track.duration, track.time_base))
    _refuse_long(length, sampling)
    track.codec_context.thread_count = 1  # the workers are the parallel part
    start, due, found = _seconds(track.start_time, track.time_base), 0.0, 0
    for packet in film.demux(track):
        check()
        at = _seconds(packet.pts, packet.time_base) - start
        _refuse_long(at, sampling)  # whatever the head said
        if packet.size and packet.is_keyframe and at >= due:
            for frame in _decoded(track.codec_context, packet):
                yield max(0.0, at), frame
                found, due = found + 1, at + 0.999 / sampling.fps
    if not found:
        raise ImageError("video: no frame can be decoded")


def _decoded(decoder: Any, packet: Any) -> list[Any]:
    """The one frame of a keyframe, which needs no other."""
    frames = decoder.decode(packet) or decoder.decode(None)
    decoder.flush_buffers()
    for frame in frames[:1]:
        _refuse_large(frame.width, frame.height)
    return list(frames[:1])


def _jpeg(frame: Any) -> bytes:
    scale = min(1.0, SIDE / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    shown = frame.to_image(width=width, height=height, interpolation="AREA")
    turn = UPRIGHT.get(round(frame.rotation) % 360)
    file = BytesIO()
    (shown if turn is None else shown.transpose(turn)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _seconds(ticks: int | None, unit: Any) -> float:
    return float(ticks * unit) if ticks is not None and unit else 0.0


def _refuse_long(seconds: float, sampling: Sampling) -> None:
    if seconds > sampling.seconds:
        raise ImageError(f"video: longer than {sampling.seconds:g} s; send a part of it")


def _refuse_large(width: int, height: int) -> None:
    if width * height > PIXELS:
        raise ImageError(f"video: {width}x{height} is over {PIXELS / 1e6:.0f} megapixels")


def _library() -> Any:
    try:
        import av
    except ImportError:
        reason = "video: this server reads none; it needs pip install 'retrain-72[video]'"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason) from None
    return av

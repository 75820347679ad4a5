"""`python -m inference_runtime.film FPS SECONDS`: a video on stdin, its keyframes as JPEGs on stdout.

A process of its own, because a few bytes of mp4 can ask their reader for gigabytes, and a reader in C may
crash: here that ends one answer, not the server. Each frame is its second (float64), its length (uint32) and
its bytes. Exit status 2: the last line on stderr says what is wrong with the video.
"""

import os
import resource
import struct
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image

from inference_runtime.errors import ImageError

FRAME = struct.Struct("<dI")
WRONG = 2
MEMORY_BYTES = 3 << 29
NICENESS = 5
# No larger than 4K, for a decoder holds several; and no model looks closer than at this many pixels a side.
PIXELS = 9_437_184
SIDE = 1280
QUALITY = 95
UPRIGHT = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
# A file may not send its reader to other files.
OPTIONS = {"enable_drefs": "0", "use_absolute_path": "0"}


def main(fps: float, seconds: float) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.nice(NICENESS)
    try:
        for at, jpeg in stills(sys.stdin.buffer.read(), fps, seconds):
            sys.stdout.buffer.write(FRAME.pack(at, len(jpeg)) + jpeg)
    except ImageError as error:
        print(error, file=sys.stderr)
        return WRONG
    return 0


def stills(data: bytes, fps: float, seconds: float) -> Iterator[tuple[float, bytes]]:
    """When, in seconds from the start; and the frame. ImageError says what is wrong."""
    import av

    try:
        # The format is named: guessing would open playlists, which name files of this machine.
        with av.open(BytesIO(data), format="mp4", options=OPTIONS) as film:
            for at, frame in _keyframes(film, fps, seconds):
                yield round(at, 3), _jpeg(frame)
    except (av.FFmpegError, ValueError, OSError, LookupError, ArithmeticError, MemoryError) as error:
        raise ImageError(f"video: broken or truncated ({' '.join(str(error).split())[:200]})") from error


def _keyframes(film: Any, fps: float, seconds: float) -> Iterator[tuple[float, Any]]:
    track = next(iter(film.streams.video), None)
    if track is None or track.codec_context is None:
        raise ImageError("video: no picture track")
    decoder = track.codec_context
    _refuse_large(decoder.width, decoder.height)
    _refuse_long(max(_seconds(film.duration, 1e-6), _seconds(track.duration, track.time_base)), seconds)
    decoder.thread_count = 1  # the server's workers are the parallel part
    start, due, found = _seconds(track.start_time, track.time_base), 0.0, 0
    for packet in film.demux(track):
        at = _seconds(packet.pts, packet.time_base) - start
        _refuse_long(at, seconds)  # whatever the head said
        if packet.size and packet.is_keyframe and at >= due:
            for frame in _decoded(decoder, packet):
                yield max(0.0, at), frame
                found, due = found + 1, at + 0.999 / fps
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


def _refuse_long(seconds: float, most: float) -> None:
    if seconds > most:
        raise ImageError(f"video: longer than {most:g} s; send a part of it")


def _refuse_large(width: int, height: int) -> None:
    if width * height > PIXELS:
        raise ImageError(f"video: {width}x{height} is over {PIXELS / 1e6:.1f} megapixels")


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))

"""Opening video files: only formats that hold pictures themselves, only the file itself, only
frames that memory holds. Files in object storage are read by ranges."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av
import av.error

from vidsgg.errors import DataError
from vidsgg.io.images import check_size
from vidsgg.io.locations import Location, RangeFile, RemotePath

# A forked worker has none of FFmpeg's threads. If its garbage collector freed a converter of pictures
# that its parent had used, it would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=gc.freeze)

# FFmpeg's names. Not among them: lists of other files and addresses (hls, dash, concat, imf, sdp,
# rtsp, ...), patterns of file names (image2), formats that read files beside theirs (vobsub, mlv),
# and text that is drawn (tty). Sound is there to be told from no video.
_VIDEO = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h261,h263,h264,hevc,vvc,av1,obu,ivf,vc1,vc1test,dirac,"
    "cavsvideo,avs2,avs3,flv,live_flv,asf,asf_o,ogg,mxf,dv,rm,ivr,nut,nsv,wtv,gxf,swf,mjpeg,mjpeg_2000,yuv4mpegpipe,gif,apng"
)
_SOUND = "wav,w64,mp3,aac,ac3,eac3,flac,aiff,caf,au,amr,ape,wv,tta"
_PICTURE = "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe"
FORMATS = ",".join((_VIDEO, _SOUND, _PICTURE))

# Nearly twice what the highest usual levels of H.264, HEVC, VP9 and AV1 allow (6.2: 35.7 million).
# Decoders hold up to some 16 frames.
MOST_FRAME_PIXELS = 2**26
_DECODED_AT_ONCE = 2**26  # pixels of the frames that a decoder's threads work on together


@contextmanager
def open_container(path: Location) -> Iterator[av.container.InputContainer]:
    """The file, as PyAV opens it. Neither other files nor network addresses that it names are ever
    opened.

    Raises DataError naming the file if it is missing, no file, of another format, or broken; also
    for what PyAV raises meanwhile.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: {'is not a video file' if path.exists() else 'no such video'}.")
        if isinstance(path, RemotePath):
            with path.open() as file, _opened(path, file) as container:
                yield container
        else:
            # Without "file:" a name like "concat:a.mp4" or "http:a.mp4" is an address for FFmpeg.
            with _opened(path, f"file:{path}") as container:
                yield container
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(
            f"{path}: not a readable video ({error.strerror or error}); copy or download it again."
        ) from error


def leave_out_contents(container: av.container.InputContainer) -> None:
    """From now on the packets of an MP4 or MOV file in object storage hold zeros, which need not be
    fetched: the head of the file tells all the rest of them. Of other files nothing is left out."""
    file = container.file.file if container.file is not None else None
    if not isinstance(file, RangeFile) or "mov" not in container.format.name.split(","):
        return
    entries = (entry for stream in container.streams for entry in stream.index_entries)
    file.leave_out([(entry.pos, entry.pos + entry.size) for entry in entries])


def _opened(path: Location, source: str | BinaryIO) -> av.container.InputContainer:
    # A file in object storage may not lead to files of this machine either.
    protocols = "file" if isinstance(source, str) else "none"
    try:
        return av.open(
            source,
            "r",
            options={
                "format_whitelist": FORMATS,
                "protocol_whitelist": protocols,
                "max_pixels": str(MOST_FRAME_PIXELS),
            },
        )
    except av.error.ArgumentError as error:  # FFmpeg's answer for a format that is not in the list
        raise DataError(
            f"{path}: is of a format that is not read, or a list of other files (a playlist), which is never followed;"
            f" make one file of it: ffmpeg -i {path.name} out.mp4"
        ) from error


def bound_frames(path: Location, stream: av.VideoStream) -> None:
    """To be called before anything is decoded. Raises DataError if frames are too large to be
    decoded, or have no size."""
    codec, most = stream.codec_context, MOST_FRAME_PIXELS
    if not (codec.width and codec.height):  # FFmpeg also keeps sizes to itself that are above max_pixels
        raise DataError(
            f"{path}: its frames have no size, or more than {most / 1e6:.0f} million pixels; scale it down, or copy it"
            " again."
        )
    check_size(path, codec.width, codec.height, most)
    # Every thread of a decoder has a frame of its own; FFmpeg starts 16 at most.
    stream.thread_count = max(1, min(16, (os.cpu_count() or 1) + 1, _DECODED_AT_ONCE // (codec.width * codec.height)))
    codec.options = {"max_pixels": str(most)}  # a stream may announce less than it then holds

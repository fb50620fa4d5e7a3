"""``vidsgg app`` from its options to its end."""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from pathlib import Path

from vidsgg.engine.run_lock import RunLock
from vidsgg.errors import ConfigError

try:
    import starlette  # noqa: F401
    import uvicorn
except ImportError as error:
    raise ConfigError("the app needs a web server: pip install 'vidsgg[app]'") from error

from vidsgg.app.app_options import AppOptions
from vidsgg.app.guard import LOCAL
from vidsgg.app.jobs import JobFolder, own_folder
from vidsgg.app.protocol import PatientProtocol
from vidsgg.app.queue import JobQueue
from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.label_files import LabelFiles


def run_app(options: AppOptions) -> None:
    """Serve until interrupted. Raises ConfigError if the port is taken, the folder cannot be used,
    or a checkpoint is not there."""
    folder = Path(options.data)
    with closing(_listen(options.host, options.port)) as listening:
        lock = _own(folder)
        try:
            from vidsgg.app.checkpoints import (  # torch: what can be refused at once is
                BoxFinder,
                Checkpoints,
                built_in_choices,
            )
            from vidsgg.app.routes import Routes
            from vidsgg.assembly.data import choose_device

            inference = Inference(options.backend or TORCH.backend, options.precision or TORCH.precision)
            inference.check_installed()
            inference.on(choose_device(options.device))
            finder = BoxFinder.of(options.detector, LabelFiles.of(options.classes, options.label_map))
            checkpoints = Checkpoints(options.checkpoints, built_in_choices(finder), finder)
            queue = JobQueue(
                JobFolder(folder),
                options.device,
                options.max_minutes,
                options.max_waiting,
                detector=finder.detector,
                labels=finder.labels,
                backend=options.backend,
                precision=options.precision,
            )
            print(_greeting(options, listening, len(checkpoints())), flush=True)
            config = uvicorn.Config(
                Routes(options, queue, checkpoints).app(),
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
                server_header=False,
                proxy_headers=False,
                http=PatientProtocol,
                ws="none",
            )
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:  # how an app is ended
            print("\nthe app has ended", file=sys.stderr)
        finally:
            lock.release()


def _listen(host: str, port: int) -> socket.socket:
    if port > 65535:
        raise ConfigError(f"option -port: {port} is no port; the most is 65535.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"option -host: {host!r} is no address of this machine ({error.strerror}).") from error
    try:
        if sys.platform != "win32":  # there it would let two programs share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"options -host and -port: cannot listen at {host}:{port} ({error.strerror}); -port 0 takes a free one."
        ) from error
    return listening


def _own(folder: Path) -> RunLock:
    try:
        own_folder(folder)
        return RunLock(folder)
    except ConfigError as error:
        raise ConfigError(str(error).replace("-save_path", "-data", 1)) from error
    except OSError as error:
        raise ConfigError(f"option -data: {folder} cannot be used ({error.strerror}).") from error


def _greeting(options: AppOptions, listening: socket.socket, models: int) -> str:
    port = listening.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    lines = [f"open http://{host}:{port} ({models} model{'s' * (models != 1)} to choose from; ends with Ctrl-C)"]
    if options.host not in LOCAL:
        lines.append(
            "warning: whoever reaches this address can upload videos, see all results and remove them; there is no"
            " password."
        )
    return "\n".join(lines)

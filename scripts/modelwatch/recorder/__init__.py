"""What a serving process calls for every prediction: ``from modelwatch.recorder import Recorder``.

In the process, ``recorder.Recorder`` makes plain values of what it is given (``conversion``, of the types in
``containers``), and puts rows into a bounded buffer (``buffer``); a thread (``writer``) masks them and
appends them to files of the process's own in the spool, a folder (``journal``). Another process, ``modelwatch recorder
send`` (``sender``), turns these files into profiles (``day_profiles``) and samples of rows (``row_sample``), and sends
them to a folder and to W&B (``wandb_sender``). Importing this package loads the standard library alone.
"""

from __future__ import annotations

from .asgi import AsgiMiddleware
from .recorder import Recorder, RecorderStats
from .wsgi import WsgiMiddleware

__all__ = ["AsgiMiddleware", "Recorder", "RecorderStats", "WsgiMiddleware"]

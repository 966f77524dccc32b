"""llama.cpp's server inside this process: the only import of xllamacpp.

The constructor of `xllamacpp.Server` binds the port, answers 503 on /health while it loads, and
returns when the model is ready. It holds Python's interpreter lock all that time, so no Python
signal handler runs meanwhile: SIGTERM keeps its default effect until then, which ends the process
at once.
"""

import os
import signal
import sys
import threading
from typing import NoReturn

import xllamacpp

from llmaz.llamacpp.checks import StartError, spare_threads
from llmaz.llamacpp.options import Options
from llmaz.llamacpp.say import say

_FLASH_ATTENTION = {
    "on": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    "auto": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO,
}


def serve(options: Options) -> NoReturn:
    """Load the model, serve it until SIGTERM or SIGINT, and end the process with exit code 0.

    Raise StartError when the model can't be loaded. The process ends without the server's
    destructor, which waits 30 s for a client that reads no more; the requests in flight end as the
    destructor would end them, and nothing is on disk that could be left half-written.
    """
    try:
        server = xllamacpp.Server(_params(options))
    except RuntimeError:
        raise StartError(f"llama.cpp could not load {options.model}", 1) from None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    say(f"serving {options.served_name} at {server.listening_address}")
    stop.wait()
    sys.stderr.flush()
    os._exit(os.EX_OK)


def _params(options: Options) -> xllamacpp.CommonParams:
    threads = options.threads or spare_threads()
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.served_name}
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = options.context_size
    params.n_parallel = options.parallel
    params.n_batch = options.batch_size
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.flash_attn_type = _FLASH_ATTENTION[options.flash_attention]
    params.endpoint_metrics = options.metrics
    params.embedding = options.embeddings
    params.ui = False
    if options.draft_model is not None:
        speculation = xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE
        params.speculative.types = [speculation]
        draft = params.speculative.draft
        draft.mparams.path = str(options.draft_model)
        draft.cpuparams.n_threads = threads
        draft.cpuparams_batch.n_threads = threads
        draft.n_max = options.draft_max
        draft.n_min = options.draft_min
    return params

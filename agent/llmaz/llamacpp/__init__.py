"""llama.cpp's own HTTP server as a program: `llmaz-llamacpp -m model.gguf`.

The wheel `xllamacpp` carries the server as a library, without a command. This package is that
command, with the option names of llama-server, so that one BackendRuntime's arguments fit both. It
needs nothing else of llmaz.
"""

"""One file a wire format: encode a request, decode an answer, map an error. Nothing here does I/O."""

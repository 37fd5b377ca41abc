"""A web site on this machine with files, and with the faults that sites have."""

import http.server
import re
import threading
from contextlib import contextmanager


class Site:
    """What the server sends: `files` by path; `faults` are used up one a request."""

    def __init__(self, address):
        self.address = address
        self.files = {}
        self.faults = []
        self.asked = []  # path and Range of each request

    def url(self, path):
        return f"{self.address}/{path}"


@contextmanager
def running():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, wanted = self.path.strip("/"), self.headers.get("Range")
            site.asked.append((path, wanted))
            fault = site.faults.pop(0) if site.faults else ""
            if path not in site.files:
                self.send_error(404)
                return
            if fault.startswith(("http:", "https:", "ftp:", "file:")):
                self.send_response(302)
                self.send_header("Location", fault)
                self.end_headers()
                return
            content, start = site.files[path], 0
            if fault == "error":
                self.send_error(503)
                return
            if wanted and fault != "no ranges":
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                shift = 1 if fault == "other range" else 0
                self.send_header("Content-Range", f"bytes {start + shift}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            if fault != "no length":
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + (len(content) - start) // 2 if fault == "break" else len(content)
            self.wfile.write(content[start:end])

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()

"""HTTP/2: faults of the frames, in the modes of HTTP/1, against h2_server.py."""
from h2_server import H2Server
from http1_faults import F
from http1_trials import Exchange, in_modes
from trial_lab import OK, authority, certificate

FAULTS = [
    F("good", "", OK),
    F("reset-without-error", "h2=rst-no-error&at=20000", "truncated"),
    F("reset-without-error-once", "h2=rst-no-error&at=20000&first=1", OK),
    F("reset-cancel", "h2=rst-cancel&at=20000", "truncated"),
    F("reset-internal", "h2=rst-internal&at=20000", "truncated"),
    F("reset-calm-twice", "h2=rst-calm&at=20000&first=2", OK),
    F("reset-before-the-head", "h2=rst-first", ("connect", "truncated")),
    F("stream-refused-once", "h2=refused&first=1", OK),
    F("goaway-in-the-body", "h2=goaway&at=20000", "truncated"),
    F("goaway-in-the-body-once", "h2=goaway-no-error&at=20000&first=1", OK),
    F("goaway-before-the-head-once", "h2=goaway-first&first=1", OK),
    F("goaway-kindly", "h2=goaway-kindly", OK),
    F("closed-in-the-body", "h2=close&at=20000", "truncated"),
    F("end-early", "h2=end-early&at=20000", "truncated"),
    F("end-early-once", "h2=end-early&at=20000&first=1", OK),
    F("end-not-said", "h2=end-not-said", ("stalled", OK), retries=1),
    F("length-too-large", "h2=length-too-large", "truncated", keeps=()),
    F("length-too-small", "h2=length-too-small", ("truncated", "connect", "http"), keeps=()),
    F("lengths-two", "h2=two-lengths", ("truncated", "connect", "http"), keeps=()),
    F("stall", "h2=stall&at=20000", "stalled", retries=1),
    F("stall-once", "h2=stall&at=20000&first=1", OK),
    F("never-answered", "h2=silent", ("stalled", "timeout"), retries=1),
    F("header-flood", "h2=header-flood", ("http", "connect")),
    F("headers-200", "h2=headers-200", OK),
    F("head-without-status", "h2=no-status", ("http", "connect", "truncated")),
    F("status-with-letters", "h2=status-text", ("http", "connect", "truncated")),
    F("field-in-capitals", "h2=capitals", (OK, "http", "connect", "truncated")),
    F("informational", "h2=interim", OK),
    F("trailers", "h2=trailers", OK),
    F("padding", "h2=padded", OK),
    F("ping-flood", "h2=pings", OK),
    F("settings-flood", "h2=settings", (OK, "truncated", "connect")),
    F("unknown-frames", "h2=unknown-frames", OK),
    F("window-overflow", "h2=window-overflow", ("truncated", "connect", "http")),
    F("connection-window-overflow", "h2=connection-window-overflow",
      ("truncated", "connect", "http")),
    F("data-before-the-head", "h2=data-first", ("truncated", "connect", "http")),
    F("data-on-stream-0", "h2=data-on-stream-0&at=20000", "truncated"),
    F("frame-too-large", "h2=oversize-frame&at=20000", "truncated"),
    F("settings-of-3-bytes", "h2=bad-settings&at=20000", "truncated"),
    F("garbage-in-the-body", "h2=garbage&at=20000", "truncated"),
    F("push-unasked", "h2=push&at=20000", ("truncated", "connect")),
]


class Exchange2(Exchange):
    stall = "1500ms"  # a server in Python, on a machine that has other things to do

    def serve(self):
        server = H2Server(certificate("localhost"))
        self.lab.addCleanup(server.stop)
        return server

    def command(self):
        return [*super().command(), "-s", "http.version=2", "--ca-file", authority().ca]


def trials(plan):
    return plan.some(in_modes(FAULTS, Exchange2), 32)

"""The HTTP/1 faults, and what is promised for each: a table.

F(name, query for faultd (README.md), outcome, ...): the outcome is OK (right bytes), a class, or
several classes where the way of the bytes decides which. More, by name:
  by_mode   {mode: outcome} where a mode promises something else
  modes     where it means something; all by default
  keeps     whether a .part that was there before is still worth something after a failure; or the
            modes in which it is
  version   1: the right bytes are those of the body as it became
  prefix    the body is only so long, as far as HTTP can tell
  packed    the right bytes are those, compressed
  holds     the whole host is to be left alone: what else is asked of it fails likewise
  retries, args   of the command
"""
import collections
from urllib.parse import quote

from trial_lab import OK

ALL = ("fresh", "resume", "segmented", "filter")
ONE = ("fresh", "resume", "filter")
Fault = collections.namedtuple(
    "Fault", "name query outcome by_mode modes keeps version prefix packed retries args holds",
    defaults=({}, ALL, True, 0, None, False, None, (), False))


def F(name, query, outcome, **more):
    return Fault(name, query, outcome, **more)


def raw(text):
    return quote(text, safe="{}")


def field(*fields):
    return "addhead=" + raw("".join(text + "\r\n" for text in fields))


def first_field(text):
    return "addfirst=" + raw(text + "\r\n")


def line(text):
    return "statusline=" + raw(text)


NO_LENGTH = "clen=none&"
KB64 = 65536

LENGTHS = [
    F("length-too-large", "cl=9000000", "truncated", keeps=()),
    F("length-too-small", "cl=5000", OK, prefix=5000, modes=("fresh", "filter")),
    F("length-two-different", "clen=dup", "truncated"),
    F("length-two-equal", "clen=same", OK),
    F("length-negative", "clen=negative", "truncated"),
    F("length-overflow", "clen=overflow", "truncated"),
    F("length-text", "clen=text", "truncated"),
    F("length-none-and-close", "clen=none", OK),
    F("length-plus", NO_LENGTH + field("Content-Length: +300"), "truncated"),
    F("length-hex", NO_LENGTH + field("Content-Length: 0x1000"), "truncated"),
    F("length-empty", NO_LENGTH + field("Content-Length:"), "truncated"),
    F("length-list", NO_LENGTH + field("Content-Length: 5, 6"), "truncated"),
    F("length-with-junk", NO_LENGTH + field("Content-Length: 300abc"), "truncated"),
    F("length-exponent", NO_LENGTH + field("Content-Length: 1e5"), "truncated"),
    F("length-2-63", NO_LENGTH + field("Content-Length: 9223372036854775807"), "truncated",
      keeps=()),
    F("length-and-chunked", "chunked=1&" + field("Content-Length: 5"), OK),
    F("length-before-chunked", "chunked=1&" + first_field("Content-Length: 5"), OK),
    F("length-and-identity", "close=1&" + field("Transfer-Encoding: identity"), OK),
]

CHUNKS = [
    F("chunked", "chunked=1", OK),
    F("chunk-extension", "chunked=1&chunkform=ext", OK),
    F("chunk-extension-of-7000-bytes", "chunked=1&chunkform=bigext", OK),
    F("chunk-size-in-capitals", "chunked=1&chunkform=upper", OK),
    F("chunk-size-with-zeros", "chunked=1&chunkform=zeros", OK),
    F("chunk-size-and-spaces", "chunked=1&chunkform=space", OK),
    F("chunk-size-negative", "chunked=1&chunkform=neg", "truncated", keeps=()),
    F("chunk-size-overflow", "chunked=1&chunkform=overflow", "truncated", keeps=()),
    F("chunk-size-huge", "chunked=1&chunkform=huge&cut=20000", "truncated", keeps=("resume",)),
    F("chunk-size-0x", "chunked=1&chunkform=prefix", "truncated", keeps=()),
    F("chunk-size-empty", "chunked=1&chunkform=empty", "truncated", keeps=()),
    F("chunk-shorter-than-said", "chunked=1&chunkform=more&close=1", "truncated", keeps=(),
      by_mode={"filter": ("truncated", "checksum")}),
    F("chunk-longer-than-said", "chunked=1&chunkform=less", "truncated", keeps=()),
    F("chunk-size-no-number", "badchunk=1", "truncated", keeps=()),
    F("chunk-last-is-missing", "cutchunk=1", "truncated", keeps=()),
    F("chunks-cut", "chunked=1&cut=20000", "truncated"),
    F("chunks-cut-three-times", "chunked=1&cut=50000&cutn=3", OK),
    F("chunks-of-97-bytes", "chunked=1&drip=97/0", OK, modes=("fresh", "resume", "filter")),
    F("trailer-flood", "chunked=1&trailern=20000&trailer=" + raw("X-T: nobody wants this\r\n"),
      ("http", "truncated", OK)),
    F("trailer-that-says-length", "chunked=1&trailer=" + raw("Content-Length: 5\r\n"), OK),
    F("trailer-without-colon", "chunked=1&trailer=" + raw("nothing\r\n"), "truncated", keeps=()),
    F("transfer-encoding-unknown", "close=1&" + field("Transfer-Encoding: strange"), "http"),
    F("transfer-encoding-gzip", "chunked=1&" + first_field("Transfer-Encoding: gzip"), "http"),
    F("transfer-encoding-twice", "chunked=1&" + field("Transfer-Encoding: chunked"), OK),
]

HEADS = [
    F("informational", "1xx=1", OK),
    F("informational-20", "pren=20&pre=" + raw("HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n"), OK),
    F("informational-flood", "pren=20000&pre=" + raw("HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n"),
      "http"),
    F("switching-protocols", line("HTTP/1.1 101 Switching Protocols"), ("http", "stalled")),
    F("status-line-letters", line("HTTP/1.1 2x0 OK"), "http"),
    F("status-line-two-digits", line("HTTP/1.1 20 OK"), "http"),
    F("status-line-four-digits", line("HTTP/1.1 2000 OK"), "http"),
    F("status-line-000", line("HTTP/1.1 000 OK"), "http"),
    F("status-line-version-9", line("HTTP/9.9 200 OK"), "http"),
    F("status-line-version-0-9", line("HTTP/0.9 200 OK"), "http"),
    F("status-line-icy", line("ICY 200 OK"), "http"),
    F("status-line-lower-case", line("http/1.1 200 OK"), "http"),
    F("status-line-no-reason", line("HTTP/1.1 200"), OK),
    F("status-line-no-space", line("HTTP/1.1200 OK"), "http"),
    F("status-line-of-90000-bytes", line("HTTP/1.1 200 " + "x" * 30000), (OK, "http")),
    F("status-line-escapes", line("HTTP/1.1 404 \x1b]0;x\x07\x9b31m"), "http"),
    F("lines-before-the-answer", "pre=" + raw("\r\n\r\n"), "http"),
    F("byte-order-mark-before-it", "pre=" + raw("\ufeff"), "http"),
    F("http-0.9", "http09=1", "http"),
    F("not-http", "garbage=1", "http"),
    F("line-feeds-alone", "eol=lf", OK),
    F("field-without-colon", field("Nothing of the kind"), (OK, "http")),
    F("field-without-name", field(": value"), (OK, "http")),
    F("field-space-before-colon", field("X-Odd : value"), (OK, "http")),
    F("field-folded", field("X-Folded: one", "  two", "\tthree"), OK),
    F("field-folded-first", first_field(" folded from nothing"), (OK, "http")),
    F("field-with-nul", field("X-Nul: a\0b"), "http"),
    F("field-with-bare-cr", field("X-Cr: a\rContent-Length: 3"), (OK, "http")),
    F("field-of-8-bit", field("X-Eight: \u00e4\u20ac\ufffd"), OK),
    F("field-with-escapes", "ctl=1", OK),
    F("field-of-90000-bytes", "bighead=90000", "http"),
    F("field-of-300000-bytes", "bighead=300000", "http"),
    F("fields-100", "headers=100", OK),
    F("fields-5000", "headers=5000", "http"),
    F("fields-without-end", "headers=200000", "http"),
    F("etag-two", field('ETag: "another"'), (OK, "http")),
    F("etag-of-8000-bytes", field('ETag: "' + "e" * 8000 + '"'), OK),
    F("last-modified-is-no-date", "lm=" + raw("the day before"), OK),
    F("last-modified-in-3000", "lm=" + raw("Wed, 01 Jan 3000 00:00:00 GMT"), OK),
    F("cookie-flood", "addheadn=150&" + field("Set-Cookie: a=b; Path=/"), OK),
    F("alt-svc-hsts-refresh", field('Alt-Svc: h2=":1"; ma=9', "Refresh: 0; url=http://127.0.0.1:1/",
                                    "Strict-Transport-Security: max-age=9999"), OK),
    F("upgrade-offered", field("Upgrade: h2c", "Connection: Upgrade"), OK),
    F("disposition-not-asked-for", "disposition=" + raw('attachment; filename="../../evil"'), OK),
    F("head-late", "slowhead=100", OK),
    F("head-in-drips", "headdrip=9/1", OK),
    F("head-cut", "headcut=70", ("connect", "truncated", "http")),
    F("head-cut-in-status-line", "headcut=10", ("connect", "truncated", "http")),
    F("head-cut-before-body", "headcut=1000000", ("connect", "truncated")),
    F("head-reset", "headrst=70", ("connect", "truncated")),
    F("head-stalls", "headstall=70", ("stalled", "timeout")),
    F("answer-is-empty", "empty=1", "connect"),
    F("answer-is-empty-twice", "empty=1&first=2", OK),
    F("answer-never-comes", "hang=1", ("stalled", "timeout"), retries=1),
]

STATUSES = [
    F("status-204", "status=204", "http"),
    F("status-204-with-body", "status=204&forcebody=1", "http"),
    F("status-205", "status=205", "http"),
    F("status-304-unasked", "status=304", "http"),
    F("status-304-with-body", "status=304&forcebody=1", "http"),
    F("status-401", "status=401", "http"),
    F("status-403", "status=403", "http"),
    F("status-404", "status=404", "http"),
    F("status-404-huge-page", "status=404&errbody=3000000", "http"),
    F("status-404-page-stalls", "status=404&errbody=60000&stall=100", "http"),
    F("status-410", "status=410", "http"),
    F("status-416", "status=416", ("http", "truncated"), keeps=()),
    F("status-500", "status=500", "http"),
    F("status-500-twice", "status=500&statusn=2", OK),
    F("status-502", "status=502", "http"),
    F("status-504-page-cut", "status=504&cut=100", "http"),
    F("status-408-once", "status=408&statusn=1", OK),
    F("status-425-once", "status=425&statusn=1", OK),
    F("status-600", "status=600", "http"),
    F("status-999", "status=999", "http"),
    F("status-226", "status=226", "http"),
    F("status-300", "status=300", ("http", "redirect")),
    F("status-407", "status=407", "http"),
    F("status-511", "status=511", "http"),
    F("status-503", "status=503", ("http", "rate_limited")),
    F("status-503-once", "status=503&statusn=1", OK),
    F("status-503-for-ever", "status=503&retry_after=0", "rate_limited"),
    F("status-429-for-ever", "status=429", "rate_limited"),
    F("status-429-once", "status=429&statusn=1", OK),
    F("retry-after-0", "status=429&statusn=2&retry_after=0", OK),
    F("retry-after-now", "status=503&statusn=1&retry_after=date%2B0", OK),
    F("retry-after-in-the-past", "status=503&statusn=1&retry_after=date%2B-1000", OK),
    F("retry-after-1970",
      "status=503&statusn=1&retry_after=" + raw("Thu, 01 Jan 1970 00:00:00 GMT"), OK),
    F("retry-after-negative", "status=503&statusn=1&retry_after=-5", OK),
    F("retry-after-text", "status=503&statusn=1&retry_after=soon", OK),
    F("retry-after-float", "status=503&statusn=1&retry_after=0.5", OK),
    F("retry-after-empty", "status=503&statusn=1&" + field("Retry-After:"), OK),
    F("retry-after-an-hour", "status=503&retry_after=3600", "rate_limited", holds=True),
    F("retry-after-overflow", "status=503&retry_after=99999999999999999999999", "rate_limited",
      holds=True),
    F("retry-after-far-date", "status=429&retry_after=" + raw("Fri, 31 Dec 9999 23:59:59 GMT"),
      "rate_limited", holds=True),
    F("retry-after-with-200", field("Retry-After: 3600"), OK),
]

NO_URL = ("redirect", "policy", "input", "http")
REDIRECTS = [
    F("redirect-to-itself", "loop=1", "redirect"),
    F("redirect-without-location", "redirect=", "redirect"),
    F("redirect-good", "redirect={same}", OK),
    F("redirect-307", "redirect={same}&code=307", OK),
    F("redirect-308", "redirect={same}&code=308", OK),
    F("redirect-303", "redirect={same}&code=303", OK),
    F("redirect-absolute", "redirect=http://{host}{same}", OK),
    F("redirect-to-a-fragment", "redirect={same}%23part", OK),
    F("redirect-page-huge", "redirect={same}&errbody=2000000", OK),
    F("redirect-page-stalls", "redirect={same}&errbody=60000&stall=10", OK),
    F("redirect-page-cut", "redirect={same}&cut=10", OK),
    F("redirect-with-retry-after", "redirect={same}&" + field("Retry-After: 3600"), OK),
    F("redirect-to-file", "redirect=file:///etc/passwd", "policy"),
    F("redirect-to-gopher", "redirect=gopher://127.0.0.1:1/_x", "policy"),
    F("redirect-to-ftp", "redirect=ftp://127.0.0.1/x", "policy"),
    F("redirect-to-data", "redirect=data:text/plain,x", "redirect"),
    F("redirect-to-javascript", "redirect=javascript:alert(1)", "redirect"),
    F("redirect-to-link-local", "redirect=http://169.254.169.254/latest/", "policy"),
    F("redirect-to-mapped-link-local", "redirect=http://[::ffff:169.254.169.254]/", "policy"),
    F("redirect-to-decimal-link-local", "redirect=http://2852039166/", "policy"),
    F("redirect-without-host", "redirect=http:///x", NO_URL),
    F("redirect-to-open-bracket", "redirect=http://[::1/x", NO_URL),
    F("redirect-to-port-99999", "redirect=http://127.0.0.1:99999/x", NO_URL),
    F("redirect-to-closed-port", "redirect=http://127.0.0.1:1/x", "connect"),
    F("redirect-to-nobody", "redirect=http://nobody.invalid/x", "dns"),
    F("redirect-with-line-break", "redirect=" + raw("/x\r\nX-Injected: 1"), ("http", "redirect")),
    F("redirect-with-escapes", "redirect=" + raw("/\x1b[31m\x07"), ("http", "redirect")),
    F("redirect-of-60000-bytes", "code=302&redirect=&" + field("Location: /" + "x" * 20000),
      ("redirect", "http", "connect")),
    F("redirect-two-locations",
      "code=302&redirect={same}&" + field("Location: http://127.0.0.1:1/"),
      (OK, "connect", "redirect", "http")),
    F("redirect-304-with-location", "redirect={same}&code=304", "http"),
    F("redirect-then-cut", "redirect={same}&first=1", OK),
]


def changed(name, query, **more):
    """Another body is there for the rest, and the new one is right. What a filter has put out cannot
    be taken back; what it has not is of the new body."""
    return F(name, "cut=50000&cutn=1&" + query, OK, version=1,
             by_mode={"filter": ("checksum", OK)}, **more)


RANGES = [
    F("range-ignored", "norange=1", OK),
    F("range-416-right-size", "bad416={size}", OK),
    F("range-416-small-size", "bad416=7", OK),
    F("range-begins-early", "badrange=offset", OK),
    F("range-lies-about-begin", "badrange=lie", OK,
      modes=("fresh", "filter")),  # the bytes of another place cannot be told without a digest
    F("range-wrong-total", "badrange=total", OK),
    F("range-wrong-end", "badrange=end", OK),
    F("range-wrong-unit", "badrange=unit", OK),
    F("range-no-numbers", "badrange=text", OK),
    F("range-not-said", "badrange=missing", OK),
    F("range-of-another-version", "badrange=etag", OK),
    F("range-multipart", "badrange=multipart", OK),
    F("range-shorter-than-asked", "badrange=short", OK, retries=40),
    F("range-unknown-total", "badrange=star", OK),
    F("range-unasked", "badrange=always", "http", by_mode={"resume": OK}),
    F("range-two-content-ranges", field("Content-Range: bytes 0-9/10"), (OK, "http")),
    F("range-on-200", field("Content-Range: bytes 5-9/10"), (OK, "http")),
    F("range-huge-numbers", "badrange=text&" + field(
        "Content-Range: bytes 99999999999999999999-99999999999999999999/99999999999999999999"), OK),
    F("etag-none", "etag=none", OK),
    F("etag-weak", "etag=weak", OK),
    F("validators-none", "etag=none&lm=none", OK),
    changed("changed-on-the-way", "change=1"),
    changed("changed-and-longer", "change=1&grow=700", modes=("filter",)),
    changed("changed-without-range", "change=1&norange=1"),
    changed("changed-without-validators", "change=1&etag=none&lm=none"),
    changed("another-etag-for-the-rest", "etag=change"),
]

CODINGS = [
    F("gzip-label-on-plain", "encoding=gzip", OK, by_mode={"filter": (OK, "decode")}),
    F("br-label-on-plain", "encoding=br", OK, by_mode={"filter": "decode"}),
    F("identity-label", "encoding=identity", OK),
    F("unknown-label", "encoding=x-strange", OK, by_mode={"filter": (OK, "decode")}),
    F("gzip-twice-label", "encoding=" + raw("gzip, gzip"), OK,
      by_mode={"filter": (OK, "decode")}),
    F("gzip", "gzip=1", OK, packed=True, modes=("fresh", "filter")),
    F("gzip-cut-within", "gzip=cut", "decode", modes=("filter",)),
    F("gzip-and-cut-connection", "gzip=1&cut=5000", "truncated", modes=("fresh", "filter")),
    F("gzip-cut-twice", "gzip=1&cut=5000&cutn=2", OK, packed=True, modes=("fresh", "filter")),
]


def behind(name, query, tail, outcome=OK, modes=ONE):
    """Something stands behind the body, where the next answer on this connection would be."""
    return F(name, query + "tail=" + raw(tail), outcome, args=("-j", "1"), modes=modes)


ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse"
ENDS = [
    F("cut-at-0", "cut=0", "truncated"),
    F("cut-at-1", "cut=1", "truncated"),
    F("cut-in-the-last-byte", "cut=179999&cutn=1", OK),
    F("cut-each-time", "cut=5000", "truncated"),
    F("cut-three-times", "cut=20000&cutn=3", OK),
    F("cut-and-no-range", "cut=20000&cutn=2&norange=1", OK),
    F("cut-and-no-validators", "cut=20000&cutn=2&etag=none&lm=none", OK),
    F("cut-each-64-kb", f"cutstep={KB64}", OK, retries=40, modes=("fresh", "resume", "filter")),
    F("reset-each-64-kb", f"cutstep={KB64}&cuthow=rst", OK, retries=40,
      modes=("fresh", "resume", "filter")),
    F("reset-at-0", "rst=0", ("connect", "truncated")),
    F("reset-each-time", "rst=5000", ("connect", "truncated")),
    F("reset-once", "rst=5000&cutn=1", OK),
    *(F(f"reset-at-{k}x64-kb", f"rst={k * KB64}&cutn=1", OK,
        modes=("fresh", "segmented") if k > 1 else ALL) for k in range(1, 5)),
    F("cut-http-1.0", "clen=none&cut=5000", OK, prefix=5000, modes=("fresh",)),
    F("stall-for-ever", "stall=5000", "stalled", retries=1),
    F("stall-at-0", "stall=0", "stalled", retries=1),
    F("stall-once", "stall=50000&cutn=1", OK),
    F("drip", "drip=20000/2", OK),
    F("drip-below-the-speed", "drip=20/100", "stalled", retries=1,
      args=("-s", "http.stall_speed=2000")),
    F("drip-beyond-the-time", "drip=200/20", "timeout", retries=1,
      args=("-s", "http.timeout=400ms"), modes=("fresh", "resume", "filter")),
    F("close-not-announced", "close=1", OK),
    F("keep-alive-announced-and-closed", "close=1&" + field("Connection: keep-alive"), OK),
    behind("garbage-behind-the-body", "", "\0\xff garbage \r\n\r\n"),
    behind("garbage-behind-the-chunks", "chunked=1&", "garbage \r\n\r\n"),
    behind("answer-behind-the-body", "", ANSWER),
    behind("answer-behind-the-chunks", "chunked=1&", ANSWER),
    behind("answer-behind-204", "status=204&", ANSWER, "http", ALL),
]

FAULTS = [*LENGTHS, *CHUNKS, *HEADS, *STATUSES, *REDIRECTS, *RANGES, *CODINGS, *ENDS]

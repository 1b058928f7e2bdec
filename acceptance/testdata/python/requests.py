"""A stand-in for the package of this name: as much as a client with retries needs."""

import json as _json
import urllib.error
import urllib.request


class HTTPError(IOError):
    def __init__(self, message, response):
        super().__init__(message)
        self.response = response


class Response:
    def __init__(self, raw):
        self.status_code = raw.status
        self.headers = raw.headers  # looked up in any case
        self.content = raw.read()

    def json(self):
        return _json.loads(self.content)

    def raise_for_status(self):
        if self.status_code >= 400:
            raise HTTPError(f"HTTP {self.status_code}", self)


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    def http_response(self, request, response):
        return response


_opener = urllib.request.build_opener(_AnyStatus, urllib.request.ProxyHandler({}))


def request(method, url, headers=None, data=None):
    sent = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    return Response(_opener.open(sent))


def get(url, headers=None):
    return request("GET", url, headers)


def post(url, headers=None, data=b""):
    return request("POST", url, headers, data)
